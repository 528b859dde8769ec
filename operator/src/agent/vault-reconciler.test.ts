import { expect, test } from 'vitest';
import { VaultSpec, type Vault } from '@scs/protocol';
import { readConfig } from './config.ts';
import { reconcileVault, type VaultContext } from './vault-reconciler.ts';

const vault: Vault = {
  apiVersion: 'scp.symphony.foundation/v1alpha1',
  kind: 'Vault',
  metadata: { name: 'shoppers', namespace: 'alder', uid: 'v-uid', generation: 1 },
  spec: VaultSpec.parse({
    enterprise: `0x${'a'.repeat(64)}`,
    domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['query'] }],
    sizeBand: 1,
  }),
};

test('the event of a new state says why it is in that state', async () => {
  const told: string[] = [];
  const context: VaultContext = {
    cluster: {
      get: async () => undefined,
      apply: async (object) => object,
      applyStatus: async (object) => object,
      create: async (object) => object,
    },
    masters: { getLeaf: async () => undefined, submit: async () => ({ ok: true, height: 1n }) },
    config: readConfig({
      SCS_NAMESPACE: 'alder',
      SCS_GENESIS: '/g',
      SCS_KEYS: '/k',
      SCS_TLS: '/t',
      SCS_MASTERS: 'a:1,b:1,c:1',
      SCS_IMAGE_VAULT: 'v',
      SCS_IMAGE_SIDECAR: 's',
      SCS_IMAGE_EXECUTOR: 'e',
    }),
    events: { record: ({ reason }) => void told.push(reason) },
    enterprise: { address: `0x${'b'.repeat(64)}`, seed: '1'.repeat(64) },
    genesisDigest: '0'.repeat(64),
    now: () => 0,
    healthOf: async () => undefined,
  };
  await reconcileVault(context, vault, new Map(), new AbortController().signal);
  expect(told).toEqual(['WrongEnterprise']);
});
