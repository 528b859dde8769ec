import { createHash } from 'node:crypto';
import { encodeGenesis } from '@scs/protocol';
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
const scs = ['simulation=true', 'devnet.enabled=true'];

test.each<[string, Chart, ChartOptions, string]>([
  ['no genesis', 'scs', { genesis: null, set: scs }, 'genesis is required: --set-file genesis=genesis.bin'],
  ['a file that is none', 'scs', { genesis: 'hello', set: scs }, 'genesis is not a genesis file'],
  ['JSON that is none', 'scs', { genesis: '{}', set: scs }, 'genesis is not a genesis file'],
  ['A4: a simulated genesis', 'scs', { set: ['devnet.enabled=true'] }, 'Set simulation=true to accept that, for development only'],
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
  ['a value misspelt', 'scs', { set: [...scs, 'masters.lease=5'] }, "additional properties 'lease' not allowed"],
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
  ['a master without a port', 'scs-enterprise', { set: ['simulation=true', 'masters={a,b:2,c:3}'] }, '/masters/0'],
])('refused: %s (%s)', async (_, chart, options, sentence) => {
  expect(await helm.refusal(chart, options)).toContain(sentence);
});

test.each<[Chart, ChartOptions]>([
  ['scs', { set: scs }],
  ['scs', { genesis: hardware, set: ['chain.url=https://fullnode.example/v1', 'submitterNamespaces={retail,media}'] }],
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

  test('no private key is in it, and no Secret', async () => {
    const objects = await helm.template(chart, options);
    expect(objects.filter((object) => object.kind === 'Secret')).toEqual([]);
  });
});

test('by default nothing is simulated and no devnet runs', async () => {
  const objects = await helm.template('scs', { genesis: hardware, set: ['chain.url=https://fullnode.example/v1'] });
  expect(objects.filter((object) => object.metadata.name === 'scs-devnet')).toEqual([]);
  const master = JSON.stringify(theOne(objects, 'StatefulSet', 'scs-master-0').spec);
  expect(master).toContain('https://fullnode.example/v1');
});
