/** What a Vault with a webhook for audiences (rule T1) has besides: the key to sign with, and a way out to its port. Pure. */
import type { VaultSpec } from '@scs/protocol';

const PATH = '/etc/scs/activation';

/** Parts of the pod and its network policy; all empty without `activation`. */
export const activationParts = ({ activation }: Pick<VaultSpec, 'activation'>) => {
  if (!activation) return { env: [], mounts: [], volumes: [], egress: [] };
  const { port } = new URL(activation.url);
  return {
    env: [{ name: 'SCS_ACTIVATION', value: PATH }],
    mounts: [{ name: 'activation', mountPath: PATH, readOnly: true }],
    // Optional: tasks are served before the key is there.
    volumes: [{ name: 'activation', secret: { secretName: activation.keySecret, defaultMode: 0o440, optional: true } }],
    egress: [{ ports: [{ port: Number(port || 443), protocol: 'TCP' }] }],
  };
};
