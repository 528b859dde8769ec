import { expect, test } from 'vitest';
import { VaultSpec, type Vault } from '@scs/protocol';
import type { ObjectRef } from '../kube/kinds.ts';
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

const contextOf = (cluster: Partial<VaultContext['cluster']>, more: Partial<VaultContext> = {}): VaultContext => ({
  cluster: {
    get: async () => undefined,
    apply: async (object) => object,
    applyStatus: async (object) => object,
    create: async (object) => object,
    delete: async () => 'deleted',
    ...cluster,
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
    SCS_SUBJECT_RIGHTS: 'true',
  }),
  events: { record: () => undefined },
  enterprise: { address: vault.spec.enterprise, seed: '1'.repeat(64) },
  genesisDigest: '0'.repeat(64),
  now: () => 0,
  healthOf: async () => undefined,
  ...more,
});

test('the event of a new state says why it is in that state', async () => {
  const told: string[] = [];
  const context = contextOf(
    {},
    { events: { record: ({ reason }) => void told.push(reason) }, enterprise: { address: `0x${'b'.repeat(64)}`, seed: '1'.repeat(64) } },
  );
  await reconcileVault(context, vault, new Map(), new AbortController().signal);
  expect(told).toEqual(['WrongEnterprise']);
});

const rights = { tlsSecret: 'cert', subjectKeys: true, auditorKeys: [] };
const ours = { metadata: { name: 'vault-shoppers-rights', uid: 's-uid', ownerReferences: [{ uid: 'v-uid' }] } };
test.each([
  ['gone from the manifest', undefined, ours, ['vault-shoppers-rights s-uid']],
  ['in the manifest', rights, ours, []],
  ['never made', undefined, undefined, []],
  ["somebody else's of that name", undefined, { metadata: { ...ours.metadata, ownerReferences: [{ uid: 'other' }] } }, []],
])('C4: a Service for subjects, its rights %s', async (_, asked, found, deleted) => {
  const [applied, gone]: [string[], string[]] = [[], []];
  const context = contextOf({
    get: async <T>({ kind }: ObjectRef) => (kind.kind === 'Service' ? (found as T | undefined) : undefined),
    apply: async (object) => (applied.push(object.metadata?.name ?? ''), object),
    delete: async ({ name }, options) => (gone.push(`${name} ${options?.uid}`), 'deleted'),
  });
  const spec = { ...vault.spec, ...(asked && { rights: asked }) };
  await reconcileVault(context, { ...vault, spec }, new Map(), new AbortController().signal);
  expect(gone).toEqual(deleted);
  expect(applied.includes('vault-shoppers-rights')).toBe(asked !== undefined);
});
