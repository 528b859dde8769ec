/** One byte a line: whatever a line of `verify` says holds, fails when a byte underneath is another. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeCanonical, encodeCanonical, fromHex, OwnAttribute, sign, type CertifiedLeaf, type Task } from '@scs/protocol';
import { aCatalogue, aGenesis, aPolicy } from '@scs/protocol/testing/genesis.ts';
import { masterKey, testKey } from '@scs/protocol/testing/keys.ts';
import { decodeBundle, type Files } from '../bundle.ts';
import { CliError } from '../errors.ts';
import { openResult } from '../open-result.ts';
import { settledTask, type SettledTask } from '../testing/settled-task.ts';
import { failed, type Check } from './check.ts';
import type { Opening, VerifyInput } from './subject.ts';
import { verifyTask } from './verify-task.ts';

let settled: SettledTask;
let good: VerifyInput;
beforeAll(async () => {
  settled = await settledTask();
  good = await inputOf(settled);
});

const openingOf = async (files: Files, { resultKey, record }: SettledTask): Promise<Opening> => {
  try {
    return { kind: 'opened', result: await openResult(files['result.sealed']!, resultKey.seed, record.envelope!) };
  } catch (cause) {
    if (cause instanceof CliError) return { kind: 'failed', problem: cause.message };
    throw cause;
  }
};
const inputOf = async (of: SettledTask, files: Files = of.files): Promise<VerifyInput> => ({
  task: of.task,
  genesis: of.genesis,
  bundle: decodeBundle(files),
  opening: await openingOf(files, of),
  chain: of.chain,
});
const namesOf = (checks: readonly Check[]): string[] => checks.map((c) => c.name);
const failing = (input: VerifyInput): string[] => namesOf(failed(verifyTask(input)));

test('S6: resolved by a later catalogue: the proof brings it, and its digest is the version', async () => {
  const later = await settledTask({
    changes: [{ kind: 'move', layer: 'query', name: 'age_group', to: 'deprecated', successor: 'product_group' }],
  });
  expect(failing(await inputOf(later))).toEqual([]);
  const { 'catalogue.json': catalogue, ...without } = later.files;
  expect(failing(await inputOf(later, without))).toEqual(['plan']);
  const altered = new TextDecoder().decode(catalogue).replace('COFFEE', 'COFFEF');
  expect(failing(await inputOf(later, { ...later.files, 'catalogue.json': Buffer.from(altered) }))).toEqual(['plan']);
});

test('S3, S6: resolved by a Vault’s own attribute: the proof brings them, certified', async () => {
  const of = { name: 'is_big', domain: 'retail.purchase', local: 'STORE_ID', type: 'string', kind: 'boolean', values: ['1'] };
  const own = await settledTask({ attributes: [OwnAttribute.parse({ ...of, groupable: true })] });
  expect(own.record.survivors).toEqual(['alder/shoppers']);
  expect(failing(await inputOf(own))).toEqual([]);
  const { 'own.leaf': _own, ...without } = own.files;
  expect(failing(await inputOf(own, without))).toEqual(['plan']);
  const altered = inLeaf(own.files, 'own.leaf', 'STORE_ID', 'STORE_IX');
  expect(failing(await inputOf(own, altered))).toEqual(['plan']);
});

/** The digit's neighbour: another hex digit, another decimal digit, always another byte. */
const other = (digit: string): string => (digit === '0' ? '1' : '0');
const flip = (text: string, at = 0): string => text.slice(0, at) + other(text[at]!) + text.slice(at + 1);
const flipByte = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((b, i) => (i === at ? b ^ 1 : b));

const leaf = (files: Files, name: string): CertifiedLeaf => decodeCanonical(files[name]!) as CertifiedLeaf;
/** One byte of the decoded record, by replacing a text that occurs in its canonical JSON. */
const inRecord = (files: Files, from: string, to: string): Files => inLeaf(files, 'task.leaf', from, to);
const inLeaf = (files: Files, name: string, from: string, to: string): Files => {
  const found = leaf(files, name);
  const text = new TextDecoder().decode(fromHex(found.value));
  if (!text.includes(from)) throw new Error(`the record has no ${from}`);
  return { ...files, [name]: encodeCanonical({ ...found, value: Buffer.from(text.replace(from, to)).toString('hex') }) };
};
const inJson = (files: Files, name: string, change: (text: string) => string): Files => ({
  ...files,
  [name]: Buffer.from(change(new TextDecoder().decode(files[name]))),
});
/** Changes one hex digit of a value that is found by its key. */
const digitOf =
  (key: string, nth = 0) =>
  (text: string): string => {
    let at = -1;
    for (let i = 0; i <= nth; i++) at = text.indexOf(`"${key}":"`, at + 1);
    if (at < 0) throw new Error(`there is no ${key}`);
    return flip(text, at + key.length + 4);
  };
const withTask = (change: (task: Task) => Task): Promise<VerifyInput> => Promise.resolve({ ...good, task: change(good.task) });

type Alteration = () => Promise<VerifyInput>;
const files =
  (change: (files: Files) => Files): Alteration =>
  () =>
    inputOf(settled, change(settled.files));

test('an honest task: every line holds, none is skipped', () => {
  const checks = verifyTask(good);
  expect(checks.filter((c) => c.problem !== undefined || c.skipped !== undefined)).toEqual([]);
  expect(namesOf(checks)).toEqual([
    'manifest',
    'task-record',
    'history',
    'projection',
    'envelope',
    'envelope-fits',
    'plan',
    'vaults',
    ...['alder', 'birch', 'cedar'].flatMap((name) => [`receipt ${name}/shoppers`, `slice ${name}/shoppers`]),
    'aggregator',
    'aggregate',
    'sealed-result',
    'opening',
    'fee',
    'settlement-leaf',
    'batch',
    'payout',
    'chain',
  ]);
});

/** For each line, one byte underneath it. The proof's own files are altered wherever the line reads them. */
const alterations = (): Record<string, Alteration> => ({
  manifest: () =>
    withTask((task) => {
      const authorization = { ...task.spec.authorization!, signature: flip(task.spec.authorization!.signature) };
      return { ...task, spec: { ...task.spec, authorization } };
    }),
  'task-record': files((f) => inJson(f, 'task.leaf', digitOf('signature'))),
  history: files((f) => inRecord(f, '"state":"resolving","time":1', '"state":"resolving","time":2')),
  projection: () => withTask((task) => ({ ...task, status: { ...task.status!, envelopeDigest: flip(task.status!.envelopeDigest!) } })),
  envelope: files((f) => inJson(f, 'envelope.leaf', digitOf('stateRoot'))),
  'envelope-fits': files((f) => inJson(f, 'envelope.leaf', (text) => flip(text, text.indexOf('"value":"') + 9 + 2 * 40))),
  plan: () => Promise.resolve({ ...good, genesis: { ...good.genesis, catalogue: teaForCoffee() } }),
  vaults: files((f) => inRecord(f, '"survivors":["alder/shoppers"', '"survivors":["blder/shoppers"')),
  ...Object.fromEntries(
    ['alder', 'birch', 'cedar'].flatMap((name, i): [string, Alteration][] => [
      [`receipt ${name}/shoppers`, files((f) => inRecord(f, signatureOf(i), flip(signatureOf(i))))],
      [`slice ${name}/shoppers`, files((f) => inJson(f, 'evidence.json', digitOf('program', i)))],
    ]),
  ),
  aggregator: files((f) => inRecord(f, settled.record.aggregators![1]!, flip(settled.record.aggregators![1]!, 2))),
  aggregate: files((f) => inJson(f, 'evidence.json', digitOf('signature'))),
  'sealed-result': files((f) => ({ ...f, 'result.sealed': flipByte(f['result.sealed']!, 40) })),
  opening: files((f) => ({ ...f, 'result.sealed': flipByte(f['result.sealed']!, 5) })),
  fee: files((f) => inRecord(f, `"charge":"#${settled.record.charge}"`, `"charge":"#${flip(String(settled.record.charge), 1)}"`)),
  'settlement-leaf': files((f) => inJson(f, 'settlement.json', (text) => flip(text, text.indexOf('"path":["') + 9))),
  batch: files((f) => inJson(f, 'batch.leaf', digitOf('signature', 1))),
  payout: files((f) => inJson(f, 'batch.leaf', (text) => flip(text, text.length - 2 - 16))),
  chain: () =>
    Promise.resolve({
      ...good,
      chain: { ...settled.chain, batch: { ...settled.chain.batch!, tasksRoot: flip(settled.chain.batch!.tasksRoot) } },
    }),
});
// `payout`: the treasury's share is the last number of a batch, little endian, and the value is the last field of a leaf.
const signatureOf = (part: number): string => settled.record.parts[part]!.release!.signature;
const teaForCoffee = () => {
  const catalogue = structuredClone(aCatalogue());
  const group = catalogue.queryAttributes.find((a) => a.name === 'product_group')!;
  if (group.derivation.kind === 'bucket') group.derivation.buckets[0]!.values[0] = 'DOFFEE';
  return catalogue;
};

describe('one byte underneath', () => {
  test('the table names every line that verify prints', () => {
    expect(Object.keys(alterations()).toSorted()).toEqual(namesOf(verifyTask(good)).toSorted());
  });
  test.each([
    'manifest',
    'task-record',
    'history',
    'projection',
    'envelope',
    'envelope-fits',
    'plan',
    'vaults',
    'receipt alder/shoppers',
    'receipt birch/shoppers',
    'receipt cedar/shoppers',
    'slice alder/shoppers',
    'slice birch/shoppers',
    'slice cedar/shoppers',
    'aggregator',
    'aggregate',
    'sealed-result',
    'opening',
    'fee',
    'settlement-leaf',
    'batch',
    'payout',
    'chain',
  ])('%s fails', async (name) => {
    expect(failing(await alterations()[name]!())).toContain(name);
  });
});

const changedLeaf = (name: string, change: (found: CertifiedLeaf) => CertifiedLeaf): Promise<VerifyInput> =>
  inputOf(settled, { ...settled.files, [name]: encodeCanonical(change(leaf(settled.files, name))) });
const withVotes = (name: string, change: (votes: CertifiedLeaf['certificate']['votes']) => CertifiedLeaf['certificate']['votes']) =>
  changedLeaf(name, (found) => ({ ...found, certificate: { ...found.certificate, votes: change(found.certificate.votes) } }));
const lineOf = { 'task.leaf': 'task-record', 'envelope.leaf': 'envelope', 'batch.leaf': 'batch' } as const;

describe.each(Object.entries(lineOf))('N6: the certificate of %s', (name, line) => {
  test('one vote is too few', async () => expect(failing(await withVotes(name, ([a]) => [a!]))).toEqual([line]));
  test('the same vote twice counts once', async () => expect(failing(await withVotes(name, ([a]) => [a!, a!]))).toEqual([line]));
  test('one signature under two names', async () =>
    expect(failing(await withVotes(name, ([a, b]) => [a!, { ...b!, signature: a!.signature }]))).toEqual([line]));
  test('signatures swapped', async () =>
    expect(
      failing(
        await withVotes(name, ([a, b]) => [
          { ...a!, signature: b!.signature },
          { ...b!, signature: a!.signature },
        ]),
      ),
    ).toEqual([line]));
  test('a stranger in place of a master', async () =>
    expect(
      failing(await withVotes(name, ([a, b]) => [a!, { ...b!, signature: sign(testKey('stranger').seed, Buffer.from('x')) }])),
    ).toEqual([line]));
  test('votes of a generation that genesis does not name', async () => {
    const input = await changedLeaf(name, (found) => {
      const head = { ...found.certificate.head, generation: 1n };
      return { ...found, certificate: { ...found.certificate, head } };
    });
    expect(failing(input)).toEqual([line]);
  });
  test('a path cut short', async () =>
    expect(failing(await changedLeaf(name, (found) => ({ ...found, siblings: found.siblings.slice(0, -1) })))).toEqual([line]));
  test("another entry's proof", async () => {
    const elsewhere = leaf(settled.files, name === 'task.leaf' ? 'envelope.leaf' : 'task.leaf');
    expect(failing(await changedLeaf(name, () => elsewhere))).toContain(line);
  });
});

test('another genesis: nothing of the group holds', async () => {
  const genesis = { ...settled.genesis, name: 'other' };
  expect(failing({ ...good, genesis })).toEqual(expect.arrayContaining(['manifest', 'task-record', 'envelope', 'batch', 'chain']));
  const masters = settled.genesis.masters.with(0, { ...settled.genesis.masters[0]!, publicKey: masterKey(9).publicKey });
  expect(failing({ ...good, genesis: { ...settled.genesis, masters } })).toContain('task-record');
});
test('G1: a policy that the genesis does not hold', () => {
  const policy = { ...aPolicy(), fees: { ...aPolicy().fees, query: { ...aPolicy().fees.query, base: 7n } } };
  expect(failing({ ...good, genesis: aGenesis({ policy }) })).toContain('fee');
  const strict = { ...aPolicy(), enclave: { ...aPolicy().enclave, measurements: ['ab'.repeat(48)] } };
  expect(failing({ ...good, genesis: aGenesis({ policy: strict }) })).toEqual(
    expect.arrayContaining(['slice alder/shoppers', 'slice birch/shoppers', 'slice cedar/shoppers', 'aggregate']),
  );
});
test("another task's bundle, whole: every line that binds it to this task fails", async () => {
  const another = await settledTask({ name: 'tea-by-age' });
  const names = failing({ ...(await inputOf(another)), task: settled.task });
  expect(names).toEqual(expect.arrayContaining(['task-record', 'projection', 'envelope', 'envelope-fits']));
});
test('a status that says more than was certified', () => {
  const withStatus = (status: Partial<NonNullable<Task['status']>>) => ({
    ...good,
    task: { ...good.task, status: { ...good.task.status, ...status } },
  });
  const { status } = settled.task;
  for (const lie of [
    { state: 'awaiting_settlement' as const },
    { fee: { ...status!.fee!, charged: '1' } },
    { fee: { ...status!.fee!, quoted: '1' } },
    { settlement: { batch: 7 } },
    { settlement: { ...status!.settlement!, transaction: `0x${'1'.repeat(64)}` } },
    { aggregator: 'nobody' },
    { vaults: status!.vaults!.slice(1) },
    { history: status!.history!.slice(1) },
    { history: status!.history!.map((h) => ({ ...h, time: '2026-01-01T00:00:00Z' })) },
    { result: { ...status!.result!, provisional: true } },
  ])
    expect(failing(withStatus(lie)), JSON.stringify(lie)).toEqual(['projection']);
});
test('a completed task without the proof of its settlement fails; before that, the lines are skipped', async () => {
  const { 'batch.leaf': _batch, 'settlement.json': _settlement, ...early } = settled.files;
  expect(failing(await inputOf(settled, early))).toEqual(['settlement-leaf', 'batch', 'payout', 'chain']);
});
test('without key and chain two lines are skipped, and say why', () => {
  const checks = verifyTask({ ...good, opening: { kind: 'skipped', why: 'no key' }, chain: 'no chain' });
  expect(checks.filter((c) => c.skipped).map((c) => [c.name, c.skipped])).toEqual([
    ['opening', 'no key'],
    ['chain', 'no chain'],
  ]);
  expect(failed(checks)).toEqual([]);
});
describe('what the chain says', () => {
  test.each([
    ['another chain', { chainId: 9 }],
    ['contracts of another genesis', { genesis: 'ab'.repeat(32) }],
    ['no such batch', { batch: undefined }],
    ['a failed transaction', { transaction: { success: false, version: '100' } }],
    ['a transaction at another version', { transaction: { success: true, version: '1' } }],
  ])('%s', (_name, facts) => expect(failing({ ...good, chain: { ...settled.chain, ...facts } })).toEqual(['chain']));
  test('a node that no longer has the transaction: the contract is enough', () =>
    expect(failing({ ...good, chain: { ...settled.chain, transaction: undefined } })).toEqual([]));
});
describe('what is inside the seal', () => {
  const opened = (result: Partial<SettledTask['result']>) =>
    failing({ ...good, opening: { kind: 'opened', result: { ...settled.result, ...result } } });
  test.each([
    ['another envelope', { envelope: 'ab'.repeat(32) }],
    ['another epsilon', { epsilon: 1n }],
    ['another number of Vaults', { vaults: 2 }],
    ['other cells', { cells: [{ label: 'all', count: 1000n }] }],
    ['more cells a subject', { cellsPerSubject: 2 }],
  ])('%s', (_name, result) => expect(opened(result)).toEqual(['opening']));
  test('S5: a cell below the minimum that is shown', () =>
    expect(opened({ cells: settled.result.cells.map(({ label }) => ({ label, count: 59n })) })).toEqual(['opening']));
});

describe('hostile bytes', () => {
  const names = ['evidence.json', 'envelope.leaf', 'task.leaf', 'batch.leaf', 'settlement.json', 'result.sealed'] as const;
  const judged = async (bytes: Files): Promise<'refused' | readonly string[]> => {
    try {
      return failing(await inputOf(settled, bytes));
    } catch (cause) {
      if (cause instanceof CliError) return 'refused';
      throw cause;
    }
  };
  test('any single bit, anywhere in the proof: refused, or some line fails', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), async (name, at, bit) => {
        const bytes = Uint8Array.from(settled.files[name]!);
        bytes[at % bytes.length]! ^= 1 << bit;
        expect(await judged({ ...settled.files, [name]: bytes })).not.toEqual([]);
      }),
      { numRuns: 300 },
    ));
  test('any file cut anywhere is refused, or some line fails', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), async (name, part) => {
        const whole = settled.files[name]!;
        expect(await judged({ ...settled.files, [name]: whole.subarray(0, Math.floor(whole.length * part)) })).not.toEqual([]);
      }),
      { numRuns: 60 },
    ));
  const anyCanonical = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.string(),
      fc.integer(),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('object'),
    ),
    object: fc.dictionary(
      fc.oneof(
        fc.constantFrom('key', 'value', 'siblings', 'certificate', 'head', 'votes', 'index', 'count', 'path', '__proto__'),
        fc.string(),
      ),
      tie('value'),
      { maxKeys: 5 },
    ),
  })).value;
  test('anything at all in any file: only CliError comes out', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          anyCanonical.map((value) => encodeCanonical(value)),
        ),
        async (name, bytes) => {
          expect(await judged({ ...settled.files, [name]: bytes })).not.toEqual([]);
        },
      ),
      { numRuns: 200 },
    ));
  test('anything at all in place of the record: lines fail, none throws', () =>
    fc.assert(
      fc.asyncProperty(anyCanonical, async (value) => {
        const input = await changedLeaf('task.leaf', (found) => ({ ...found, value: Buffer.from(encodeCanonical(value)).toString('hex') }));
        expect(failing(input)).toEqual(expect.arrayContaining(['task-record', 'history', 'projection']));
      }),
      { numRuns: 100 },
    ));
  test('a file over a MiB, or nested without end, is refused', async () => {
    expect(await judged({ ...settled.files, 'evidence.json': new Uint8Array(1024 * 1024 + 1) })).toBe('refused');
    expect(await judged({ ...settled.files, 'task.leaf': Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)) })).toBe('refused');
  });
  test.each(['result.sealed', 'evidence.json', 'envelope.leaf', 'task.leaf'])('without %s the bundle is refused', (name) => {
    const { [name]: _gone, ...rest } = settled.files;
    expect(() => decodeBundle(rest)).toThrow(`lacks ${name}`);
  });
});
