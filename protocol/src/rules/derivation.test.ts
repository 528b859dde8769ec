import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { termsOf } from '../authorization.ts';
import { semanticVersion, type CanonicalAttribute, type Catalogue, type QueryAttribute } from '../catalogue.ts';
import { planDigest } from '../plan.ts';
import type { Predicate, Query } from '../resources/task.ts';
import { semanticHashKey } from '../semantic-hash.ts';
import { aCatalogue, aPolicy } from '../testing/genesis.ts';
import { aTask } from '../testing/task.ts';
import { resolveQuery } from './resolution.ts';

const domain = 'retail.purchase';
const canonical = (name: string, type: CanonicalAttribute['type'], directlyQueryable = false): CanonicalAttribute => ({
  name,
  domain,
  type,
  state: 'active',
  directlyQueryable,
  description: '',
});
const query = (name: string, derivation: QueryAttribute['derivation'], change: Partial<QueryAttribute> = {}): QueryAttribute => ({
  name,
  domain,
  state: 'active',
  derivation,
  granularity: {},
  groupable: false,
  description: '',
  ...change,
});
const catalogue: Catalogue = {
  ...aCatalogue(),
  canonicalAttributes: [
    ...aCatalogue().canonicalAttributes,
    canonical('purchase.cents', 'integer'),
    canonical('campaign.coupon', 'string'),
    canonical('purchase.store', 'string', true),
    canonical('purchase.week', 'date', true),
    canonical('purchase.items', 'integer', true),
  ],
  queryAttributes: [
    ...aCatalogue().queryAttributes,
    query('is_hot_drink', { kind: 'boolean', from: 'purchase.commodity', values: ['COFFEE', 'TEAS'] }, { groupable: true }),
    query('basket', {
      kind: 'threshold',
      from: 'purchase.cents',
      below: 'small',
      bands: [
        { name: 'middle', atLeast: 1000 },
        { name: 'large', atLeast: 5000 },
      ],
    }),
    query('coupon_group', { kind: 'hash', from: 'campaign.coupon', groups: 10 }, { granularity: { minimumBuckets: 2 } }),
  ],
};
const resolve = (asked: Partial<Query>, epoch = 12) => resolveQuery(termsOf(aTask().asking(asked).spec()), catalogue, aPolicy(), epoch);
const whereOf = (...where: Predicate[]) => {
  const found = resolve({ where });
  return found.ok ? found.value.plan.where : found.rejection;
};

describe('S2: boolean', () => {
  test('true is its values, false all else, a missing value too', () => {
    expect(whereOf({ attribute: 'is_hot_drink', in: ['true'] })).toEqual([
      [{ op: 'in', column: 'purchase.commodity', values: ['COFFEE', 'TEAS'] }],
    ]);
    expect(whereOf({ attribute: 'is_hot_drink', in: ['false'] })).toEqual([
      [{ op: 'notIn', column: 'purchase.commodity', values: ['COFFEE', 'TEAS'] }],
    ]);
    expect(whereOf({ attribute: 'is_hot_drink', in: ['yes'] })).toMatchObject({ code: 'UnknownBucket', known: ['true', 'false'] });
  });
  test('S8: grouped, it is two cells', () => {
    const found = resolve({ groupBy: 'is_hot_drink' });
    expect(found.ok && found.value.plan.group).toEqual({
      column: 'purchase.commodity',
      cells: [{ label: 'true', values: ['COFFEE', 'TEAS'] }, { label: 'false' }],
    });
  });
});

describe('S2: threshold', () => {
  test.each([
    [['small'], [{ below: 1000 }]],
    [['middle'], [{ atLeast: 1000, below: 5000 }]],
    [['large'], [{ atLeast: 5000 }]],
    [['large', 'middle'], [{ atLeast: 1000 }]],
    [
      ['small', 'large'],
      [{ below: 1000 }, { atLeast: 5000 }],
    ],
    [['small', 'middle', 'large'], [{}]],
  ])('%j', (bands, ranges) =>
    expect(whereOf({ attribute: 'basket', in: bands })).toEqual([ranges.map((r) => ({ op: 'range', column: 'purchase.cents', ...r }))]),
  );
  test('it is not grouped by, nor compared', () => {
    expect(resolve({ groupBy: 'basket' })).toMatchObject({ rejection: { code: 'NotGroupable' } });
    expect(whereOf({ attribute: 'basket', from: '2026-01-01', until: '2026-02-01' })).toMatchObject({ code: 'PredicateInvalid' });
  });
});

describe('S2: hash', () => {
  const groups = { attribute: 'coupon_group', in: ['7', '3', '10'.slice(0, 1)] };
  test('keyed per epoch: the plan of one epoch is not that of the next', () => {
    const key = semanticHashKey(semanticVersion(catalogue), 12, 'coupon_group');
    expect(whereOf(groups)).toEqual([[{ op: 'hash', column: 'campaign.coupon', key, groups: 10, in: [1, 3, 7] }]]);
    const digests = [1, 2].map((epoch) => {
      const found = resolve({ where: [groups] }, epoch);
      return found.ok && planDigest(found.value.plan);
    });
    expect(digests[0]).not.toBe(digests[1]);
  });
  test('a group that there is not, and too few', () => {
    expect(whereOf({ attribute: 'coupon_group', in: ['10', '1'] })).toMatchObject({ code: 'UnknownBucket' });
    expect(whereOf({ attribute: 'coupon_group', in: ['1'] })).toMatchObject({ code: 'GranularityExceeded' });
  });
});

describe('S1: directly queryable', () => {
  test('its values as they are, or its days', () => {
    expect(whereOf({ attribute: 'purchase.store', in: ['b', 'a', 'b'] })).toEqual([
      [{ op: 'in', column: 'purchase.store', values: ['a', 'b'] }],
    ]);
    expect(whereOf({ attribute: 'purchase.week', from: '2026-01-01', until: '2026-01-02' })).toEqual([
      [{ op: 'days', column: 'purchase.week', from: '2026-01-01', until: '2026-01-02' }],
    ]);
  });
  test('not a number, not what is not marked so, not as groups', () => {
    expect(whereOf({ attribute: 'purchase.items', in: ['3'] })).toMatchObject({ code: 'PredicateInvalid' });
    expect(whereOf({ attribute: 'purchase.cents', in: ['3'] })).toMatchObject({ code: 'UnknownAttribute' });
    expect(resolve({ groupBy: 'purchase.store' })).toMatchObject({ rejection: { code: 'NotGroupable' } });
    expect(resolve({ measures: [{ kind: 'sum', attribute: 'purchase.items' }] })).toMatchObject({ rejection: { code: 'NotMeasurable' } });
  });
});

describe('S6', () => {
  const predicates = fc.uniqueArray(
    fc.constantFrom<Predicate>(
      { attribute: 'is_hot_drink', in: ['false', 'true'] },
      { attribute: 'basket', in: ['large', 'small'] },
      { attribute: 'coupon_group', in: ['9', '0'] },
      { attribute: 'purchase.store', in: ['z', 'a'] },
      { attribute: 'purchase_day', from: '2017-10-04', until: '2018-01-02' },
    ),
    { minLength: 1, selector: ({ attribute }) => attribute },
  );
  const shuffled = <T>(items: readonly T[]) => fc.shuffledSubarray([...items], { minLength: items.length });
  test('the same bytes, in any order of objects, predicates and groups named', () =>
    fc.assert(
      fc.property(
        predicates.chain((where) => fc.tuple(fc.constant(where), shuffled(where))),
        shuffled(catalogue.canonicalAttributes),
        shuffled(catalogue.queryAttributes),
        shuffled(catalogue.domains),
        fc.nat(1000),
        ([where, again], canonicalAttributes, queryAttributes, domains, epoch) => {
          const terms = (list: readonly Predicate[]) =>
            termsOf(
              aTask()
                .asking({ where: [...list] })
                .spec(),
            );
          const turned = again.map((p) => (p.in ? { ...p, in: p.in.toReversed() } : p));
          const other = { canonicalAttributes, queryAttributes, domains };
          const one = resolveQuery(terms(where), catalogue, aPolicy(), epoch);
          const two = resolveQuery(terms(turned), other, aPolicy(), epoch);
          expect(one.ok && two.ok && planDigest(one.value.plan) === planDigest(two.value.plan)).toBe(true);
          expect(semanticVersion(other)).toBe(semanticVersion(catalogue));
        },
      ),
      { numRuns: 100 },
    ));
});
