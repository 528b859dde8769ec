import { vaultNetworkPolicy } from '@scs/operator/agent/vault-objects.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChartOptions, type Helm, openHelm, type Rendered } from './charts/helm.ts';
import { mayConnect, networkPolicy, type NetworkPolicy, outside, partyOf } from './charts/network-model.ts';
import { aVault, configOf, podsOf } from './charts/pods.ts';

/** What the NetworkPolicies of both charts and of the agent let through (A2), over a small model. The embedded cluster does not enforce them. */
let helm: Helm;
let policies: NetworkPolicy[];

const inNamespace = (vault: typeof aVault, namespace: string) => ({ ...vault, metadata: { ...vault.metadata, namespace } });
const policiesOf = async (scs: ChartOptions, set: readonly string[]): Promise<{ policies: NetworkPolicy[]; rendered: Rendered[] }> => {
  const foundation = await helm.template('scs', { namespace: 'scs', ...scs });
  const enterprises = await Promise.all(['alder', 'birch'].map((namespace) => helm.template('scs-enterprise', { namespace, set })));
  const vaults = enterprises.map((rendered, i) => vaultNetworkPolicy(inNamespace(aVault, i === 0 ? 'alder' : 'birch'), configOf(rendered)));
  const rendered = [...foundation, ...enterprises.flat()];
  return { policies: [...rendered.filter((object) => object.kind === 'NetworkPolicy'), ...vaults].map(networkPolicy), rendered };
};

beforeAll(async () => {
  helm = await openHelm();
  ({ policies } = await policiesOf({ set: ['simulation=true', 'devnet.enabled=true', 'submitterNamespaces={retail}'] }, [
    'simulation=true',
  ]));
});
afterAll(() => helm.close());

const parties = {
  outside,
  master: partyOf('scs', 'scs-master'),
  counter: partyOf('scs', 'scs-counter'),
  devnet: partyOf('scs', 'scs-devnet'),
  prometheus: partyOf('monitoring', 'prometheus'),
  submitter: partyOf('retail', 'anything'),
  agent: partyOf('alder', 'scs-agent'),
  vault: partyOf('alder', 'scs-vault', {
    'app.kubernetes.io/instance': 'shoppers',
    'app.kubernetes.io/managed-by': 'scs-agent',
    'app.kubernetes.io/part-of': 'symphony',
  }),
  slice: partyOf('alder', 'scs-slice'),
  neighbour: partyOf('alder', 'anything'),
  'other agent': partyOf('birch', 'scs-agent'),
  'other vault': partyOf('birch', 'scs-vault', {
    'app.kubernetes.io/instance': 'shoppers',
    'app.kubernetes.io/managed-by': 'scs-agent',
    'app.kubernetes.io/part-of': 'symphony',
  }),
  'other slice': partyOf('birch', 'scs-slice'),
  dns: partyOf('kube-system', 'coredns'),
} as const;
type Name = keyof typeof parties;

describe('what must pass', () => {
  test.each<[Name, Name, number, ('TCP' | 'UDP')?]>([
    ['master', 'master', 7443],
    ['master', 'counter', 7446],
    ['master', 'devnet', 8080],
    ['master', 'outside', 6443],
    ['master', 'outside', 443],
    ['outside', 'master', 7444],
    ['submitter', 'master', 7444],
    ['agent', 'master', 7444],
    ['agent', 'outside', 443],
    ['agent', 'vault', 7445],
    ['vault', 'master', 7444],
    ['slice', 'master', 7444],
    ['slice', 'vault', 7445],
    ['slice', 'outside', 7444],
    ['submitter', 'devnet', 8080],
    ...(['master', 'agent', 'vault', 'slice'] as const).map((name): [Name, Name, number, 'UDP'] => [name, 'dns', 53, 'UDP']),
    ...(['master', 'agent', 'vault', 'slice'] as const).map((name): [Name, Name, number] => [name, 'dns', 53]),
  ])('%s -> %s:%i', (from, to, port, protocol) => expect(mayConnect(policies, parties[from], parties[to], port, protocol)).toBe(true));
});

describe('what must not', () => {
  test.each<[string, Name, Name, number]>([
    ['A2: a slice tells nobody but Vault and masters', 'slice', 'outside', 443],
    ['A2: a slice tells nobody but Vault and masters', 'slice', 'outside', 80],
    ['A2: a slice tells nobody but Vault and masters', 'slice', 'neighbour', 8080],
    ['A2: slices do not meet', 'slice', 'slice', 7445],
    ['A2: a slice reads its own enterprise only', 'slice', 'other vault', 7445],
    ['A2: nothing enters a slice', 'agent', 'slice', 8080],
    ['A2: nothing enters a slice', 'vault', 'slice', 7445],
    ['N10: masters reach no Vault', 'master', 'vault', 7445],
    ['N10: masters reach no agent', 'master', 'agent', 8080],
    ['C5: a Vault talks to slices and the agent of its enterprise', 'neighbour', 'vault', 7445],
    ['C5: a Vault talks to slices and the agent of its enterprise', 'other slice', 'vault', 7445],
    ['C5: a Vault talks to slices and the agent of its enterprise', 'other agent', 'vault', 7445],
    ['C5: a Vault talks to slices and the agent of its enterprise', 'outside', 'vault', 7445],
    ['C5: records leave a Vault by slices only', 'vault', 'outside', 443],
    ['C5: records leave a Vault by slices only', 'vault', 'other vault', 7445],
    ['peers are masters', 'submitter', 'master', 7443],
    ['peers are masters', 'outside', 'master', 7443],
    ['metrics are for the namespace', 'prometheus', 'master', 8080],
    ['N7: a counter answers masters only', 'devnet', 'counter', 7446],
    ['N7: a counter answers masters only', 'outside', 'counter', 7446],
    ['N7: a counter calls nobody', 'counter', 'master', 7443],
    ['N7: a counter calls nobody', 'counter', 'outside', 443],
    ['the devnet calls nobody', 'devnet', 'master', 7443],
    ['the devnet calls nobody', 'devnet', 'outside', 443],
    ['an agent talks to its own Vaults', 'agent', 'other vault', 7445],
    ['an agent is no server', 'neighbour', 'agent', 8080],
    ['masters use the devnet, not any chain', 'master', 'outside', 8080],
  ])('%s: %s -> %s:%i', (_, from, to, port) => expect(mayConnect(policies, parties[from], parties[to], port)).toBe(false));
});

const home = (name: string): string => (/^scs-(master|counter|devnet)/.test(name) ? 'scs' : 'alder');
test('each pod of ours is bound in both directions', async () => {
  const { rendered } = await policiesOf({ set: ['simulation=true', 'devnet.enabled=true', 'submitterNamespaces={retail}'] }, [
    'simulation=true',
  ]);
  for (const { metadata } of podsOf(rendered)) {
    const party = { namespace: home(metadata.name), labels: metadata.labels ?? {} };
    expect(mayConnect(policies, party, outside, 9999), `${metadata.name} out`).toBe(false);
    expect(mayConnect(policies, outside, party, 9999), `${metadata.name} in`).toBe(false);
  }
});

test('a real chain, another API server port, masters in another cluster, and who may scrape, follow the values', async () => {
  const hardware = aGenesis({ enclave: { kind: 'hardware', roots: ['a root'] } });
  const set = [
    'chain.url=http://fullnode.example:8091/v1',
    'submitterNamespaces={retail}',
    'counters.runtimeClassName=kata-qemu-snp',
    'networkPolicy.apiServerPorts={9443}',
    'networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=monitoring',
  ];
  const { policies: real } = await policiesOf({ genesis: hardware, set }, [
    'simulation=true',
    'masters={a.example:443,b.example:443,c.example:8444}',
  ]);
  const { master, prometheus, neighbour, slice, vault, agent } = parties;
  for (const port of [8091, 9443]) expect(mayConnect(real, master, outside, port)).toBe(true);
  for (const port of [443, 6443, 8080]) expect(mayConnect(real, master, outside, port)).toBe(false);
  expect(mayConnect(real, prometheus, master, 8080)).toBe(true);
  expect(mayConnect(real, neighbour, master, 8080)).toBe(false);
  for (const port of [443, 8444]) for (const from of [slice, vault, agent]) expect(mayConnect(real, from, outside, port)).toBe(true);
  for (const from of [slice, vault]) expect(mayConnect(real, from, outside, 7444)).toBe(false);
});

test('https without a port means 443', async () => {
  const { policies: real } = await policiesOf(
    {
      set: [
        'simulation=true',
        'chain.url=https://fullnode.example/v1',
        'submitterNamespaces={retail}',
        'networkPolicy.apiServerPorts={6443}',
      ],
    },
    ['simulation=true'],
  );
  expect([443, 80].map((port) => mayConnect(real, parties.master, outside, port))).toEqual([true, false]);
});
