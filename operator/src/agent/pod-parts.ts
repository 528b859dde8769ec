/** What every pod of an enterprise shares: hardening, the genesis, the enterprise's TLS identity. */
import type { Pod } from '../kube/objects.ts';

type PodSpec = NonNullable<Pod['spec']>;
export type Container = PodSpec['containers'][number];
export type Volume = NonNullable<PodSpec['volumes']>[number];

/** Pod Security level `restricted`. */
export const podSecurity = (): PodSpec['securityContext'] => ({
  runAsNonRoot: true,
  runAsUser: 65_532,
  runAsGroup: 65_532,
  fsGroup: 65_532,
  seccompProfile: { type: 'RuntimeDefault' },
});
export const containerSecurity = (): Container['securityContext'] => ({
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
});

export const GENESIS_MOUNT = { name: 'genesis', mountPath: '/etc/scs/genesis', readOnly: true };
export const TLS_MOUNT = { name: 'tls', mountPath: '/etc/scs/tls', readOnly: true };
export const genesisVolume = (): Volume => ({ name: 'genesis', configMap: { name: 'scs-genesis' } });
export const tlsVolume = (): Volume => ({ name: 'tls', secret: { secretName: 'scs-tls', defaultMode: 0o440 } });
export const memoryVolume = (name: string, sizeLimit: string): Volume => ({ name, emptyDir: { medium: 'Memory', sizeLimit } });

export const commonEnv = (masters: readonly string[]): { name: string; value: string }[] => [
  { name: 'SCS_GENESIS', value: '/etc/scs/genesis/genesis.bin' },
  { name: 'SCS_TLS', value: '/etc/scs/tls' },
  { name: 'SCS_MASTERS', value: masters.join(',') },
];
export const HEALTH_PORT = { name: 'health', containerPort: 8080 };
export const httpProbe = (path: string, more: object = {}) => ({ httpGet: { path, port: 'health' }, ...more });
