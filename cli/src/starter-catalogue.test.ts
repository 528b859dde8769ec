/** The starter catalogue for retail and the overview's examples: sound, and each resolves (rules S1, S2, S4, S5, T1). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Catalogue, catalogueProblem, encodeGenesis, lineageOf, resolveQuery, TaskTerms } from '@scs/protocol';
import { aGenesis, aPolicy } from '@scs/protocol/testing/genesis.ts';
import { actorKey, testKey } from '@scs/protocol/testing/keys.ts';
import { symphony } from './testing/cli.ts';

const examples = join(import.meta.dirname, '../../examples');
const read = (file: string): string => readFileSync(join(examples, file), 'utf8');
const catalogueIn = (file: string): Catalogue => Catalogue.parse(parse(read(file)));
const starter = catalogueIn('retail/catalogue.yaml');

test.each(['retail/catalogue.yaml', 'demo/catalogue.yaml'])('%s is sound', (file) =>
  expect(catalogueProblem(catalogueIn(file))).toBeUndefined(),
);

const planOf = (file: string) => {
  const { spec } = parse(read(file)) as { spec: object };
  const terms = TaskTerms.parse({ ...spec, submitter: actorKey('roastery').address, resultKey: testKey('result').publicKey });
  const found = resolveQuery(terms, starter, aPolicy(), 0);
  if (!found.ok) throw new Error(JSON.stringify(found.rejection));
  return found.value.plan;
};
describe("the overview's examples", () => {
  test('S5: "Singapore" and "coffee" and "last 30 days": too few are not shown', () => {
    const plan = planOf('retail/coffee-in-singapore.yaml');
    expect(plan.where.map(([p]) => `${p!.op} ${p!.column}`)).toEqual(['in receipt.city', 'days receipt.day', 'in receipt.item']);
    expect(plan.group.column).toBe('household.age');
    expect(plan.minimumResultCardinality).toBe(50);
  });
  test('T1: a coupon for recent Luckin customers', () => {
    const plan = planOf('retail/luckin-coupon.yaml');
    expect([plan.usage, plan.domain]).toEqual(['marketing', 'retail.receipt']);
    expect(plan.where.map(([p]) => p!.column)).toEqual(['receipt.day', 'receipt.merchant']);
  });
  test('the demo asks the starter catalogue, too', () => {
    for (const file of ['campaign/task.yaml', 'campaign/spend.yaml']) expect(planOf(file).domain).toBe('retail.purchase');
  });
});

describe('The Complete Journey', () => {
  const copies = [...read('retail/complete-journey.sql').matchAll(/-- domain: (\S+)\n(COPY [^;]*;)/g)];
  const household = [
    ...read('retail/complete-journey.sql')
      .split('-- domain')[0]!
      .matchAll(/AS "([^"]+)"/g),
  ].map(([, name]) => name!);
  const columnsIn = (domain: string): string[] =>
    starter.canonicalAttributes
      .filter((a) => lineageOf(starter, domain).includes(a.domain))
      .map(({ name }) => name)
      .toSorted();
  test.each(copies.map(([, domain, sql]) => [domain!, sql!]))(
    '%s: every canonical attribute of the domain, and no other',
    (domain, sql) => {
      const own = [...sql.matchAll(/AS "([^"]+)"/g)].map(([, name]) => name!);
      expect([...own, ...household].toSorted()).toEqual(columnsIn(domain));
    },
  );
  test('purchases, households and campaigns are mapped; receipts are not in the data', () =>
    expect(copies.map(([, domain]) => domain)).toEqual(['retail.household', 'retail.purchase', 'retail.campaign']));
});

describe('kubectl symphony resolve --catalogue', () => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-catalogue-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const resolve = async (change: (text: string) => string = (text) => text) => {
    const [genesis, catalogue] = [join(folder, 'genesis.bin'), join(folder, 'catalogue.yaml')];
    writeFileSync(genesis, encodeGenesis(aGenesis()));
    writeFileSync(catalogue, change(read('retail/catalogue.yaml')));
    return symphony(['resolve', '-f', join(examples, 'retail/coffee-in-singapore.yaml'), '--genesis', genesis, '--catalogue', catalogue]);
  };
  test('another than the genesis has', async () => {
    const { code, out, err } = await resolve();
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('receipt.city in (Singapore)');
  });
  test('an unsound one is named', async () => {
    const { code, err } = await resolve((text) => text.replace('from: receipt.city', 'from: receipt.town'));
    expect([code, err]).toEqual([
      1,
      `${join(folder, 'catalogue.yaml')} is not sound: attribute city derives from receipt.town, which there is not. (CatalogueInvalid)`,
    ]);
  });
});
