/** What a Vault that serves its subjects over HTTPS (rule C4) has besides: port, certificate, Service, ways through the network policy. */
import type { Vault, VaultSpec } from '@scs/protocol';
import type { AgentConfig } from './config.ts';

export const RIGHTS_PORT = 8443;
export const rightsObjectName = (vault: string): string => `vault-${vault}-rights`;

/** The Vault as this agent serves it: without `rights` unless whoever installed the agent allows them. */
export const asAllowed = (vault: Vault, { subjectRights }: Pick<AgentConfig, 'subjectRights'>): Vault => {
  if (subjectRights) return vault;
  const { rights: _notAllowed, ...spec } = vault.spec;
  return { ...vault, spec };
};

const tcp = (port: number) => ({ port, protocol: 'TCP' });

/** Parts of the pod and its network policy; all empty without `rights`. */
export const rightsParts = ({ rights }: Pick<VaultSpec, 'rights'>) => {
  if (!rights) return { ports: [], mounts: [], volumes: [], ingress: [], egress: [] };
  const issuer = rights.oidc?.jwksUrl;
  return {
    ports: [{ name: 'rights', containerPort: RIGHTS_PORT }],
    mounts: [{ name: 'rights-tls', mountPath: '/etc/scs/rights-tls', readOnly: true }],
    // Optional: tasks are served before the certificate is there.
    volumes: [{ name: 'rights-tls', secret: { secretName: rights.tlsSecret, defaultMode: 0o440, optional: true } }],
    ingress: [{ ports: [tcp(RIGHTS_PORT)] }],
    egress: issuer === undefined ? [] : [{ ports: [tcp(Number(new URL(issuer).port || 443))] }],
  };
};

export const rightsServiceSpec = (selector: Readonly<Record<string, string>>, type: AgentConfig['rightsServiceType']) => ({
  type,
  selector: { ...selector },
  ports: [{ name: 'https', port: 443, targetPort: 'rights', protocol: 'TCP' }],
});
