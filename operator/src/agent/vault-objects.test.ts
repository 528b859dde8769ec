/** B8: the second volume of a Vault. */
import { expect, test } from 'vitest';
import { VaultSpec, type Vault } from '@scs/protocol';
import type { AgentConfig } from './config.ts';
import { asAllowed } from './rights-objects.ts';
import { rightsService, vaultNetworkPolicy, vaultSpecJson, vaultStatefulSet } from './vault-objects.ts';

const vaultOf = (more: object): Vault => ({
  apiVersion: 'scp.symphony.foundation/v1alpha1',
  kind: 'Vault',
  metadata: { name: 'shoppers', namespace: 'alder', uid: 'v-uid', generation: 1 },
  spec: VaultSpec.parse({
    enterprise: `0x${'a'.repeat(64)}`,
    domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['query'] }],
    sizeBand: 1,
    ...more,
  }),
});
const config = {
  masters: ['m0:7444', 'm1:7444', 'm2:7444'],
  images: { vault: 'v', sidecar: 's', executor: 'e', pullPolicy: 'IfNotPresent' },
} as const satisfies Pick<AgentConfig, 'masters' | 'images'>;
const podOf = (more: object) => vaultStatefulSet(vaultOf(more), config).spec!.template.spec!;

test('B8: the journal’s copy is mounted from its own claim, apart from the data', () => {
  const pod = podOf({ journal: { volumeClaim: 'far-away' } });
  expect(pod.volumes).toContainEqual({ name: 'journal', persistentVolumeClaim: { claimName: 'far-away' } });
  const [container] = pod.containers;
  expect(container!.env).toContainEqual({ name: 'SCS_JOURNAL', value: '/var/lib/scs-journal' });
  expect(container!.volumeMounts).toContainEqual({ name: 'journal', mountPath: '/var/lib/scs-journal' });
});

test('B8: without it, none; and the manifest that a Vault reads is as before', () => {
  const pod = podOf({});
  expect(pod.volumes!.some(({ name }) => name === 'journal')).toBe(false);
  expect(pod.containers[0]!.env!.some(({ name }) => name === 'SCS_JOURNAL')).toBe(false);
  expect(vaultSpecJson(vaultOf({}))).not.toContain('journal');
});

test('buckets need a Secret, backups a claim: mounted read-only and apart', () => {
  const pod = podOf({
    cloudSecret: 'cloud-keys',
    backup: { volumeClaim: 'backups' },
    journal: { s3: { bucket: 'far-away', region: 'eu-central-1' } },
  });
  const [container] = pod.containers;
  expect(pod.volumes).toContainEqual({ name: 'cloud', secret: { secretName: 'cloud-keys', defaultMode: 0o440 } });
  expect(container!.volumeMounts).toContainEqual({ name: 'cloud', mountPath: '/etc/scs/cloud', readOnly: true });
  expect(container!.volumeMounts).toContainEqual({ name: 'backup', mountPath: '/var/lib/scs-backup' });
  expect(container!.env!.map(({ name }) => name)).toEqual(expect.arrayContaining(['SCS_CLOUD', 'SCS_BACKUP']));
  expect(pod.volumes!.some(({ name }) => name === 'journal')).toBe(false);
});

const rights = { tlsSecret: 'cert', oidc: { issuer: 'https://id.example', audience: 'v', jwksUrl: 'https://id.example:8444/keys' } };
const allowed = (subjectRights: boolean, more: object) => asAllowed(vaultOf(more), { subjectRights });

test('C4: subjects are let in on their port alone, with the certificate that the manifest names', () => {
  const vault = allowed(true, { rights });
  const pod = vaultStatefulSet(vault, config).spec!.template.spec!;
  expect(pod.containers[0]!.ports).toContainEqual({ name: 'rights', containerPort: 8443 });
  expect(pod.volumes).toContainEqual({ name: 'rights-tls', secret: { secretName: 'cert', defaultMode: 0o440, optional: true } });
  expect(vaultNetworkPolicy(vault, config).spec).toMatchObject({
    ingress: [{ ports: [{ port: 7445 }] }, { ports: [{ port: 8443 }] }],
    egress: [{}, {}, { ports: [{ port: 8444 }] }],
  });
  expect(rightsService(vault, { rightsServiceType: 'LoadBalancer' })).toMatchObject({
    metadata: { name: 'vault-shoppers-rights' },
    spec: { type: 'LoadBalancer', ports: [{ port: 443, targetPort: 'rights' }] },
  });
});

test.each<[string, Vault]>([
  ['no manifest asks for it', allowed(true, {})],
  ["the agent's installation does not allow it", allowed(false, { rights })],
])('C4: subjects are not served when %s', (_, vault) => {
  expect(vaultSpecJson(vault)).not.toContain('rights');
  expect(vaultStatefulSet(vault, config).spec!.template.spec!.containers[0]!.ports).toHaveLength(2);
  expect(JSON.stringify(vaultNetworkPolicy(vault, config))).not.toContain('8443');
});

test('egress: ports of buckets and KMS, only where the manifest names them', () => {
  const egress = (more: object): string => JSON.stringify(vaultNetworkPolicy(vaultOf(more), config).spec);
  expect(egress({})).not.toContain('443,');
  const s3 = { bucket: 'far-away', region: 'eu-central-1' };
  expect(egress({ cloudSecret: 'c', backup: { s3 } })).toContain('{"ports":[{"port":443,"protocol":"TCP"}]}');
  const inside = { ...s3, endpoint: 'http://minio.storage.svc:9000' };
  expect(egress({ cloudSecret: 'c', backup: { s3: inside }, journal: { s3 } })).toContain('"port":443,"protocol":"TCP"},{"port":9000');
});
