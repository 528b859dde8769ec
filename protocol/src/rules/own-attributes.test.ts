/** S3: query attributes of one Vault's own, on local attributes: promoted by its enterprise, used in queries of that Vault alone. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { termsOf } from '../authorization.ts';
import type { VaultOffer } from '../commands.ts';
import { ownNameOf, ownOfManifest, type OwnAttributesRecord } from '../own-attributes.ts';
import { Plan, planDigest } from '../plan.ts';
import { explain } from '../rejection.ts';
import { OwnAttribute } from '../resources/own-attribute.ts';
import { aCatalogue, aPolicy, vaultNames } from '../testing/genesis.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { resolveQuery } from './resolution.ts';

const [ours, theirs] = vaultNames as [string, string, string];
const kind = (more: object = {}): OwnAttribute =>
  OwnAttribute.parse({
    name: 'store_kind',
    domain: 'retail.purchase',
    local: 'STORE_ID',
    type: 'string',
    kind: 'bucket',
    buckets: [
      { name: 'big', values: ['1', '2'] },
      { name: 'small', values: ['3'] },
    ],
    otherwise: 'other',
    minimumBuckets: 2,
    groupable: true,
    ...more,
  });
const spend = (more: object = {}): OwnAttribute =>
  OwnAttribute.parse({
    name: 'points',
    domain: 'retail.purchase',
    local: 'POINTS',
    type: 'integer',
    kind: 'aggregate',
    unit: 'number',
    measure: { low: 0, high: 50 },
    ...more,
  });
const NAME = `${ours}/store_kind`;
const ownOf =
  (records: Readonly<Record<string, OwnAttributesRecord>>) =>
  (vault: string): OwnAttributesRecord | undefined =>
    records[vault];
const resolve = (query: object, records: Readonly<Record<string, OwnAttributesRecord>> = { [ours]: ownOfManifest([kind(), spend()]) }) =>
  resolveQuery(termsOf(aTask().asking(query).quorum(1).spec()), aCatalogue(), aPolicy(), 4, ownOf(records));
const codeOf = (result: ReturnType<typeof resolve>) => (result.ok ? undefined : result.rejection.code);

describe('S3, S6: resolution', () => {
  test('a plan of that Vault alone, on a column that no canonical attribute can be named like', () => {
    const result = resolve({ groupBy: NAME });
    if (!result.ok) throw new Error(result.rejection.code);
    const { plan } = result.value;
    expect(plan).toMatchObject({
      vault: ours,
      group: {
        column: 'local/string/STORE_ID',
        cells: [{ label: 'big', values: ['1', '2'] }, { label: 'small', values: ['3'] }, { label: 'other' }],
      },
    });
    expect(Plan.parse(plan)).toEqual(plan);
  });
  test('S2, S5, S8: granularity, minimum and the finite list hold as for any other; numbers are measured by their bounds', () => {
    expect(codeOf(resolve({ where: [{ attribute: NAME, in: ['big'] }] }))).toBe('GranularityExceeded');
    expect(codeOf(resolve({ where: [{ attribute: NAME, in: ['big', 'huge'] }] }))).toBe('UnknownBucket');
    expect(codeOf(resolve({ groupBy: `${ours}/points` }))).toBe('NotGroupable');
    const measured = resolve({
      where: [{ attribute: NAME, in: ['big', 'small'] }],
      measures: [{ kind: 'sum', attribute: `${ours}/points` }],
    });
    expect(measured).toMatchObject({
      value: { plan: { minimumResultCardinality: 20, measures: [{ column: 'local/integer/POINTS', low: 0, high: 50 }] } },
    });
  });
  test('two Vaults’ own in one query are refused, with advice', () => {
    const records = { [ours]: ownOfManifest([kind()]), [theirs]: ownOfManifest([kind()]) };
    const result = resolve({ groupBy: NAME, where: [{ attribute: `${theirs}/store_kind`, in: ['big', 'small'] }] }, records);
    expect(result).toEqual({
      ok: false,
      rejection: { code: 'VaultScopeMixed', attribute: NAME, vault: ours, other: theirs },
    });
    expect(!result.ok && explain(result.rejection)).toMatch(/Make two tasks\.$/);
  });
  test('what the Vault has not is unknown, and the nearest of its own is named; without the Vault’s name it is unknown', () => {
    expect(resolve({ groupBy: `${ours}/store_kinds` })).toMatchObject({ rejection: { code: 'UnknownAttribute', nearest: NAME } });
    expect(codeOf(resolve({ groupBy: `${theirs}/store_kind` }))).toBe('UnknownAttribute');
    expect(codeOf(resolve({ groupBy: 'store_kind' }))).toBe('UnknownAttribute');
    expect(codeOf(resolve({ domain: 'retail', groupBy: NAME, where: [] }))).toBe('CrossDomainNotApproved');
  });
  test('names in their parts', () => {
    expect(ownNameOf('a/b/c_d')).toEqual({ vault: 'a/b', own: 'c_d' });
    expect([ownNameOf('a'), ownNameOf('a.b'), ownNameOf('a/b')]).toEqual([undefined, undefined, undefined]);
  });
  test('S6: the same bytes in any order of objects', () => {
    const all = [kind(), spend(), kind({ name: 'other_kind', local: 'X' })];
    const digestOf = (attributes: readonly OwnAttribute[]) => {
      const result = resolve({ groupBy: NAME }, { [ours]: ownOfManifest(attributes) });
      return result.ok && planDigest(result.value.plan);
    };
    const expected = digestOf(all);
    expect(expected).not.toBe(false);
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => digestOf(shuffled) === expected),
      { numRuns: 30 },
    );
  });
});

describe('S3: in the log', () => {
  let revision = 1;
  const offerOf = (attributes: readonly OwnAttribute[], more: Partial<VaultOffer> = {}): VaultOffer =>
    anOffer(ours, { revision: revision++, ...(attributes.length > 0 && { attributes: [...attributes] }), ...more });
  const say = (world: World, ...attributes: OwnAttribute[]): void => void world.block(registerCommand(world, offerOf(attributes)));
  const passEpoch = (world: World): void => {
    world.advance(aPolicy().epoch.lengthMs);
    world.observe();
  };
  const after = (...attributes: OwnAttribute[]): World => {
    const world = World.ready();
    say(world, ...attributes);
    passEpoch(world);
    return world;
  };
  const ask = (world: World, groupBy = NAME) => world.task(world.submit(aTask().asking({ groupBy }).quorum(1)));

  test('in force from the next epoch; that Vault alone is asked', () => {
    const world = World.ready();
    say(world, kind());
    expect(ask(world).rejection?.code).toBe('UnknownAttribute');
    passEpoch(world);
    expect(ask(world)).toMatchObject({ state: 'resolving', parts: [{ vault: ours }] });
  });
  test('a quorum that other Vaults would have to fill is refused clearly', () => {
    const world = after(kind());
    const { rejection } = world.task(world.submit(aTask().asking({ groupBy: NAME }).quorum(2)));
    expect(rejection).toMatchObject({ code: 'QuorumUnreachable', possible: 1 });
    expect(explain(rejection!)).toContain('set spec.coordination.quorum to 1');
  });
  test('S1, S7: onwards only; deprecated warns, retired names the successor, a task admitted before goes on', () => {
    const world = after(kind());
    const now = kind({ name: 'store_size', local: 'SIZE' });
    say(world, kind({ state: 'deprecated', successor: 'store_size' }), now);
    passEpoch(world);
    expect(ask(world).warnings).toEqual([`Attribute ${NAME} is deprecated. Use ${ours}/store_size.`]);
    const admitted = aTask().named('before').asking({ groupBy: NAME }).quorum(1).signed(world.genesis);
    world.block(admitted);
    say(world, kind({ state: 'retired', successor: 'store_size' }), now);
    world.advance(aPolicy().epoch.lengthMs);
    world.observe();
    expect(world.task(admitted.uid).rejection?.code).not.toBe('AttributeRetired');
    expect(ask(world).rejection).toEqual({ code: 'AttributeRetired', attribute: NAME, successor: `${ours}/store_size` });
    expect(world.faultOf(registerCommand(world, offerOf([kind(), now])))).toBe('OfferInvalid');
  });
  test('left out of the manifest, it is retired, and its name taken', () => {
    const world = after(kind());
    say(world);
    expect(ask(world).state).toBe('resolving');
    passEpoch(world);
    expect(ask(world).rejection?.code).toBe('AttributeRetired');
    expect(world.faultOf(registerCommand(world, offerOf([kind()])))).toBe('OfferInvalid');
    expect(world.faultOf(registerCommand(world, offerOf([kind({ state: 'retired' })])))).toBeUndefined();
  });
  test('what was said in the same epoch may be said otherwise', () => {
    const world = World.ready();
    say(world, kind());
    say(world);
    say(world, kind({ local: 'SHOP' }));
    passEpoch(world);
    expect(ask(world).plan?.group.column).toBe('local/string/SHOP');
    say(world);
    say(world, kind({ local: 'SHOP' }));
    passEpoch(world);
    expect(ask(world).state).toBe('resolving');
    expect(world.state.must('own', ours).attributes.map(({ life }) => life.length)).toEqual([1]);
  });
  test.each<[string, OwnAttribute[], Partial<VaultOffer>?]>([
    ['two of a name', [kind(), kind()]],
    ['another meaning', [kind({ local: 'OTHER' })]],
    ['of a domain that is not offered', [spend({ domain: 'retail' })]],
    ['a kind without its parts', [OwnAttribute.parse({ ...spend(), name: 'x', unit: undefined })]],
    ['bands of a text', [kind({ name: 'x', kind: 'threshold', below: 'a', bands: [{ name: 'b', atLeast: 1 }] })]],
    ['groups that repeat', [kind({ name: 'x', otherwise: 'big' })]],
    ['grouped by a number', [spend({ name: 'x', groupable: true })]],
    ['bounds that are none', [spend({ name: 'x', measure: { low: 0, high: 0 } })]],
    ['succeeded by none of its own', [spend({ name: 'x', successor: 'y' })]],
    ['superseded by none', [spend({ name: 'x', state: 'superseded' })]],
  ])('refused: %s', (_, attributes) => {
    const world = after(kind());
    expect(world.faultOf(registerCommand(world, offerOf(attributes)))).toBe('OfferInvalid');
  });
  test('names are used up: 64 ever, so that the state is bounded', () => {
    const world = World.ready();
    const named = (from: number) => Array.from({ length: 32 }, (_, i) => spend({ name: `a${from + i}` }));
    for (const from of [0, 32]) {
      say(world, ...named(from));
      passEpoch(world);
    }
    expect(world.faultOf(registerCommand(world, offerOf(named(64))))).toBe('OfferInvalid');
  });
});
