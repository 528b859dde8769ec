import { createHash } from 'node:crypto';
import { encodeGenesis } from '@scs/protocol';
import { readConfig } from '@scs/operator/master/config.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Chart, type ChartOptions, type Helm, openHelm, theOne } from './charts/helm.ts';

/** What the charts refuse by themselves, and in which words; what they carry unchanged. Needs Helm, no API server. */
let helm: Helm;
beforeAll(async () => {
  helm = await openHelm();
});
afterAll(() => helm.close());

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const hardware = aGenesis({ enclave: { kind: 'hardware', roots: ['a root'] } });
const scs = ['simulation=true', 'devnet.enabled=true', 'submitterNamespaces={retail}'];
const withoutClass = ['chain.url=https://fullnode.example/v1', 'submitterNamespaces={retail,media}'];
const real = [...withoutClass, 'counters.runtimeClassName=kata-qemu-snp'];

test.each<[string, Chart, ChartOptions, string]>([
  ['no genesis', 'scs', { genesis: null, set: scs }, 'genesis is required: --set-file genesis=genesis.bin'],
  ['a file that is none', 'scs', { genesis: 'hello', set: scs }, 'genesis is not a genesis file'],
  ['JSON that is none', 'scs', { genesis: '{}', set: scs }, 'genesis is not a genesis file'],
  ['A4: a simulated genesis', 'scs', { set: ['devnet.enabled=true'] }, 'Set simulation=true to accept that, for development only'],
  ['no namespace to serve', 'scs', { set: ['simulation=true', 'devnet.enabled=true'] }, 'submitterNamespaces is required'],
  ['no chain', 'scs', { set: ['simulation=true'] }, 'chain.url is required (an Aptos fullnode, ending in /v1), or devnet.enabled=true'],
  ['a chain by a wrong path', 'scs', { set: [...scs, 'chain.url=https://fullnode.example'] }, '/chain/url'],
  [
    "N10: an enterprise's namespace among the submitters'",
    'scs',
    { set: [...scs, 'submitterNamespaces={retail,alder}'] },
    "submitterNamespaces lists alder, which the genesis gives to enterprise alder: masters get no right in an enterprise's namespace",
  ],
  [
    "the masters' own namespace among them",
    'scs',
    { set: [...scs, 'submitterNamespaces={scs}'] },
    "submitterNamespaces lists scs, where the masters' keys are",
  ],
  ['a namespace twice', 'scs', { set: [...scs, 'submitterNamespaces={a,a}'] }, '/submitterNamespaces'],
  [
    'N2: counters without a runtime class',
    'scs',
    { genesis: hardware, set: withoutClass },
    "counters.runtimeClassName is required: outside simulation each master's counter runs in a confidential guest of its own",
  ],
  ['a way to agree, of which there is one', 'scs', { set: [...scs, 'consensus=lease'] }, "additional properties 'consensus' not allowed"],
  ['a value misspelt', 'scs', { set: [...scs, 'masters.lease=5'] }, "additional properties 'lease' not allowed"],
  ['X1: too few blocks that stay live', 'scs', { set: [...scs, 'masters.liveBlocks=100'] }, '/masters/liveBlocks'],
  ['a log level there is none of', 'scs', { set: [...scs, 'masters.logLevel=loud'] }, '/masters/logLevel'],
  ['no genesis', 'scs-enterprise', { genesis: null }, 'genesis is required: --set-file genesis=genesis.bin'],
  ['JSON that is none', 'scs-enterprise', { genesis: '{}' }, 'genesis is not a genesis file'],
  ['A4: a simulated genesis', 'scs-enterprise', { set: [] }, 'Set simulation=true to accept that, for development only'],
  [
    'A2: hardware without a runtime class',
    'scs-enterprise',
    { genesis: hardware, set: [] },
    'runtimeClassName is required: slices run in SEV-SNP or TDX guests (kata-qemu-snp, kata-qemu-tdx)',
  ],
  ['two masters', 'scs-enterprise', { set: ['simulation=true', 'masters={a:1,b:2}'] }, '/masters'],
  ['a Service type there is none of', 'scs-enterprise', { set: ['simulation=true', 'subjectRights.serviceType=Public'] }, '/subjectRights'],
  ['a master without a port', 'scs-enterprise', { set: ['simulation=true', 'masters={a,b:2,c:3}'] }, '/masters/0'],
])('refused: %s (%s)', async (_, chart, options, sentence) => {
  expect(await helm.refusal(chart, options)).toContain(sentence);
});

test.each<[Chart, ChartOptions]>([
  ['scs', { set: scs }],
  ['scs', { genesis: hardware, set: real }],
  ['scs', { set: [...scs, 'alerts.enabled=true'] }],
  ['scs-enterprise', {}],
  ['scs-enterprise', { genesis: hardware, set: ['runtimeClassName=kata-qemu-snp'] }],
])('helm lint finds nothing in %s', async (chart, options) => {
  expect(await helm.lint(chart, options)).toContain('0 chart(s) failed');
});

describe.each<[Chart, ChartOptions]>([
  ['scs', { set: scs }],
  ['scs-enterprise', {}],
])('%s', (chart, options) => {
  test('G7: the genesis arrives byte for byte', async () => {
    const genesis = aGenesis({ name: 'Größe <1> & "2" \\ {{ 3 }}' });
    const objects = await helm.template(chart, { ...options, genesis });
    const text = theOne(objects, 'ConfigMap', 'scs-genesis').data?.['genesis.bin'] ?? '';
    expect(sha256(text)).toBe(sha256(encodeGenesis(genesis)));
  });

  test('P5, N9: a file with a succession is taken like the genesis that it begins with, and arrives whole', async () => {
    const text = `${new TextDecoder().decode(encodeGenesis(aGenesis()))}\n[]`;
    const objects = await helm.template(chart, { ...options, genesis: text });
    expect(theOne(objects, 'ConfigMap', 'scs-genesis').data?.['genesis.bin']).toBe(text);
    const names = (all: typeof objects): string[] => all.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names(objects)).toEqual(names(await helm.template(chart, options)));
    const counters = (all: typeof objects): string[] =>
      all
        .filter((o) => o.metadata.name.startsWith('scs-counter'))
        .map((o) => (JSON.stringify(o.spec) ?? '').replaceAll(/"[0-9a-f]{64}"/g, ''));
    expect(counters(objects)).toEqual(counters(await helm.template(chart, options)));
  });

  test('no private key is in it, and no Secret', async () => {
    const objects = await helm.template(chart, options);
    expect(objects.filter((object) => object.kind === 'Secret')).toEqual([]);
  });
});

test('by default nothing is simulated and no devnet runs', async () => {
  const objects = await helm.template('scs', { genesis: hardware, set: real });
  expect(objects.filter((object) => object.metadata.name === 'scs-devnet')).toEqual([]);
  const master = JSON.stringify(theOne(objects, 'StatefulSet', 'scs-master-0').spec);
  expect(master).toContain('https://fullnode.example/v1');
});

test('each master is told what its process reads, and of its own keys only', async () => {
  const objects = await helm.template('scs', {
    genesis: hardware,
    set: [...real, 'chain.apiKeySecret=node-key'],
  });
  for (const index of [0, 1, 2]) {
    const { template } = theOne(objects, 'StatefulSet', `scs-master-${index}`).spec as { template: { spec: PodSpec } };
    const [container] = template.spec.containers;
    const plain = container?.env.filter(({ value }) => value !== undefined) ?? [];
    const config = readConfig(Object.fromEntries(plain.map(({ name, value }) => [name, value])));
    expect(config).toMatchObject({
      SCS_MASTER_INDEX: index,
      SCS_NAMESPACES: ['retail', 'media'],
      SCS_NAMESPACE: 'scs',
    });
    expect(container?.env).toContainEqual({
      name: 'SCS_CHAIN_API_KEY',
      valueFrom: { secretKeyRef: { name: 'node-key', key: 'apiKey' } },
    });
    const secrets = template.spec.volumes.flatMap(({ secret }) => secret?.secretName ?? []);
    expect(secrets).toEqual([`scs-master-${index}-keys`]);
  }
});
test('N7, N10: each master has its counter: a pod of its own, an account of its own without a token, and its own keys only', async () => {
  const objects = await helm.template('scs', {
    genesis: hardware,
    set: real,
  });
  for (const index of [0, 1, 2]) {
    const name = `scs-counter-${index}`;
    const { template } = theOne(objects, 'Deployment', name).spec as { template: { spec: PodSpec & CounterSpec } };
    expect(template.spec).toMatchObject({
      serviceAccountName: name,
      automountServiceAccountToken: false,
      runtimeClassName: 'kata-qemu-snp',
    });
    expect(template.spec.volumes.flatMap(({ secret }) => secret?.secretName ?? [])).toEqual([name]);
    const master = theOne(objects, 'StatefulSet', `scs-master-${index}`).spec as { template: { spec: PodSpec } };
    const environment = Object.fromEntries(master.template.spec.containers[0]?.env.map(({ name: key, value }) => [key, value]) ?? []);
    expect(readConfig(environment)).toMatchObject({ SCS_COUNTER: `${name}.scs.svc:7446` });
  }
});
type CounterSpec = { readonly serviceAccountName: string };
type PodSpec = {
  readonly containers: readonly { readonly env: readonly { readonly name: string; readonly value?: string }[] }[];
  readonly volumes: readonly { readonly secret?: { readonly secretName: string } }[];
};
