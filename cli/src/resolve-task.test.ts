/** S6, K1: what `resolve` says beforehand is what the masters decide afterwards. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve as path } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGenesis, OwnAttribute, ownOfManifest, planDigest } from '@scs/protocol';
import { aCatalogue, aCatalogueOfNumbers, aGenesis, aPolicy } from '@scs/protocol/testing/genesis.ts';
import { epsilonOfRho } from '@scs/protocol/mechanisms/accounting.ts';
import { aTask, type TaskBuilder } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { resolvedLines, resolveTask } from './resolve-task.ts';
import { symphony } from './testing/cli.ts';

const world = (): World => World.ready();
const resolved = (builder: TaskBuilder, bands?: readonly number[]) => resolveTask(builder.spec(), aGenesis(), bands);

test('plan and price are those of the masters', () => {
  const group = world();
  const builder = aTask();
  const record = group.task(group.submit(builder));
  const beforehand = resolved(
    builder,
    record.parts.map((p) => p.sizeBand),
  );
  expect(beforehand.digest).toBe(planDigest(record.plan!));
  expect(beforehand.plan).toEqual(record.plan);
  expect(beforehand.semanticVersion).toBe(record.semanticVersion);
  expect(beforehand.quotes[0]!.amount).toBe(group.runTo(record.uid, 'dispatched').quote);
});
test('without size bands: from the fewest and smallest to the most and largest', () => {
  expect(resolved(aTask()).quotes).toEqual([
    { over: '2 Vaults of the smallest size band', amount: 420_000_000n },
    { over: '3 Vaults of the largest size band', amount: 750_000_000n },
  ]);
});
test('S3: a Vault’s own attributes, by its manifest: that Vault alone, at a quorum of one', () => {
  const own = ownOfManifest([
    OwnAttribute.parse({
      name: 'is_big',
      domain: 'retail.purchase',
      local: 'ID',
      type: 'string',
      kind: 'boolean',
      values: ['1'],
      groupable: true,
    }),
  ]);
  const of = (vault: string) => (vault === 'alder/shoppers' ? own : undefined);
  const asking = aTask().asking({ groupBy: 'alder/shoppers/is_big' });
  const told = resolveTask(asking.quorum(1).spec(), aGenesis(), undefined, of);
  expect(told.quotes).toHaveLength(1);
  expect(resolvedLines(told)).toContain('vault             alder/shoppers alone, of whose own the query asks');
  expect(() => resolveTask(asking.quorum(2).spec(), aGenesis(), undefined, of)).toThrow('set spec.coordination.quorum to 1');
  expect(() => resolveTask(asking.quorum(1).spec(), aGenesis(), undefined)).toThrow('There is no query attribute alder/shoppers/is_big');
});
test('S7: a deprecated attribute is a warning', () => {
  const catalogue = aCatalogue();
  const attribute = catalogue.queryAttributes.find((a) => a.name === 'age_group')!;
  Object.assign(attribute, { state: 'deprecated' });
  expect(resolveTask(aTask().spec(), aGenesis({ catalogue }), undefined).warnings).toEqual(['Attribute age_group is deprecated.']);
});

test('B7: what all tasks together may tell of a subject, once, at the delta of the policy', () => {
  const policy = aPolicy();
  const withDelta = { ...policy, privacy: { ...policy.privacy, deltaExponent: 6 } };
  const told = resolveTask(aTask().spec(), aGenesis({ policy: withDelta }), undefined);
  const { microRho, epsilon } = told.limit;
  expect(microRho).toBe(policy.privacy.subjectLimitMicroRho.marketing);
  expect(epsilon).toBe(epsilonOfRho(microRho, { numerator: 1n, denominator: 1_000_000n }));
  expect(resolvedLines(told).join('\n')).toMatch(/limit +\d+ micro-rho a subject until replenishment: epsilon \d+\.\d+ at delta 10\^-6/);
  expect(resolved(aTask()).limit).toEqual({ microRho });
});

describe('says what the masters would say', () => {
  test.each<[string, TaskBuilder]>([
    ['ClassNotSupported', aTask().with({ class: 'train' })],
    ['SpecInvalid', aTask().epsilon('0')],
    ['EpsilonAboveMaximum', aTask().epsilon('1.5').maxFee('20')],
    ['UnknownDomain', aTask().asking({ domain: 'retail.purchases' })],
    ['UnknownAttribute', aTask().asking({ groupBy: 'age_groop' })],
    ['UnknownBucket', aTask().query('cofee')],
    ['GranularityExceeded', aTask().asking({ where: [{ attribute: 'purchase_day', from: '2017-12-24', until: '2017-12-25' }] })],
    ['NotGroupable', aTask().asking({ groupBy: 'product_group' })],
    ['FeeAboveMaximum', aTask().maxFee('1')],
  ])('%s', (code, builder) => {
    const group = world();
    const { rejection } = group.task(group.submit(builder));
    expect(rejection?.code).toBe(code);
    expect(() => resolved(builder, [1, 1, 1])).toThrow(expect.objectContaining({ code }));
  });
  test('fewer Vaults than the quorum', () =>
    expect(() => resolved(aTask().quorum(3), [0, 0])).toThrow(expect.objectContaining({ code: 'QuorumUnreachable' })));
  test('a size band without a price', () => {
    expect(() => resolved(aTask(), [0, 9])).toThrow('Size band 9 has no price; the policy has bands 0 to 3.');
    expect(aPolicy().fees.query.perSizeBand).toHaveLength(4);
  });
});

describe('kubectl symphony resolve', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-resolve-'));
    writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(aGenesis()));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const example = path(import.meta.dirname, '../../examples/campaign/task.yaml');
  const resolve = (file: string, ...args: string[]) =>
    symphony(['resolve', '-f', file, ...args], { environment: { SCS_GENESIS: join(folder, 'genesis.bin') } });

  test('needs no key and no cluster', async () => {
    const { code, out } = await resolve(example, '--vaults', '1,1,2');
    expect(code).toBe(0);
    const [plan, version, ...rest] = out.split('\n');
    expect(plan).toMatch(/^plan {14}[0-9a-f]{64}$/);
    expect(version).toMatch(/^semantic version {2}[0-9a-f]{64}$/);
    expect(rest).toEqual([
      'policy version    1',
      'domain            retail.purchase, for marketing',
      'count             subjects',
      'where             purchase.commodity in (COFFEE)',
      'where             purchase.day from 2017-10-04 until before 2018-01-02',
      'cell              under_45: household.age in (19-24, 25-34, 35-44)',
      'cell              45_and_over: household.age in (45-54, 55-64, 65+)',
      'cell              unknown: any other household.age',
      "epsilon           0.5 a Vault: 125000 micro-rho of each eligible subject's budget",
      'suppressed        cells whose noisy count is below 60 (20 times overlap bound 3)',
      'price at most     5.5 SYM for 3 Vaults of size bands 1, 1, 2',
      'maxFee            10 SYM',
    ]);
  });
  test('T1, B7: an audience and measures are said, with what each part spends', () => {
    const builder = aTask().asking({
      audience: { expiresSeconds: 3600 },
      measures: [{ kind: 'mean', attribute: 'spend' }],
      cellsPerSubject: 2,
    });
    const lines = resolvedLines(resolveTask(builder.spec(), aGenesis({ catalogue: aCatalogueOfNumbers() }), [1, 1]));
    expect(lines.slice(10, 14)).toEqual([
      "measure           mean of purchase.cents, each subject's total clipped to 0..10000",
      'audience          kept by each Vault for 3600 s, for its operator alone',
      'cells a subject   2: noise grows with it',
      "epsilon           0.5 a Vault, 0.25 for the count and for each measure: 62500 micro-rho of each eligible subject's budget",
    ]);
  });
  test('JSON has the whole plan', async () => {
    const { out } = await resolve(example, '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({
      policyVersion: 1,
      plan: { epsilon: '0.5', microRho: 125_000, group: { column: 'household.age' } },
      quotes: [{ amount: '4.2' }, { amount: '7.5' }],
      maxFee: '10',
    });
  });
  test('a rejection is a sentence and exit code 1', async () => {
    const file = join(folder, 'task.yaml');
    writeFileSync(file, readFileSync(example, 'utf8').replace('[coffee]', '[cofee]'));
    const { code, out, err } = await resolve(file);
    expect([code, out, err]).toEqual([1, '', 'Attribute product_group has no bucket cofee; it has coffee, tea, other. (UnknownBucket)']);
  });
});
