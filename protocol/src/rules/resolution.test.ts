import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { termsOf } from '../authorization.ts';
import { semanticVersion, type Catalogue, type QueryAttribute } from '../catalogue.ts';
import { Plan, planDigest } from '../plan.ts';
import type { Rejection } from '../rejection.ts';
import type { Query } from '../resources/task.ts';
import { aCatalogue, aCatalogueOfNumbers, aPolicy } from '../testing/genesis.ts';
import { aTask } from '../testing/task.ts';
import { nearestName } from './nearest-name.ts';
import { resolveQuery } from './resolution.ts';

const catalogue = aCatalogue();
const policy = aPolicy();
const resolve = (query: Partial<Query>, on: Catalogue = catalogue) => resolveQuery(termsOf(aTask().asking(query).spec()), on, policy, 12);
const planOf = (query: Partial<Query>, on?: Catalogue): Plan => {
  const result = resolve(query, on);
  if (!result.ok) throw new Error(result.rejection.code);
  return result.value.plan;
};
const rejectionOf = (query: Partial<Query>, on?: Catalogue): Rejection | undefined => {
  const result = resolve(query, on);
  return result.ok ? undefined : result.rejection;
};
const withAttribute = (name: string, change: Partial<QueryAttribute>): Catalogue => ({
  ...catalogue,
  queryAttributes: catalogue.queryAttributes.map((a) => (a.name === name ? { ...a, ...change } : a)),
});

test('S2, S8: buckets become values, dates stay ranges, cells come from the catalogue with the otherwise cell last', () => {
  const plan = planOf({});
  expect(Plan.parse(plan)).toEqual(plan);
  expect(plan).toEqual({
    domain: 'retail.purchase',
    usage: 'marketing',
    count: 'subjects',
    where: [
      [{ op: 'in', column: 'purchase.commodity', values: ['COFFEE'] }],
      [{ op: 'days', column: 'purchase.day', from: '2017-10-04', until: '2018-01-02' }],
    ],
    group: {
      column: 'household.age',
      cells: [
        { label: 'under_45', values: ['19-24', '25-34', '35-44'] },
        { label: '45_and_over', values: ['45-54', '55-64', '65+'] },
        { label: 'unknown' },
      ],
    },
    cellsPerSubject: 1,
    epsilon: 500_000n,
    microRho: 125_000n,
    minimumResultCardinality: 20,
    overlapBound: 3,
  });
});

test('S2: the otherwise bucket is the complement of all listed values', () => {
  const where = (...buckets: string[]) => planOf({ where: [{ attribute: 'product_group', in: buckets }] }).where[0];
  const rest = { op: 'notIn', column: 'purchase.commodity', values: ['COFFEE', 'DRY TEA', 'TEAS'] };
  expect(where('other')).toEqual([rest]);
  expect(where('other', 'coffee')).toEqual([{ op: 'in', column: 'purchase.commodity', values: ['COFFEE'] }, rest]);
});

test('without groupBy there is one cell', () =>
  expect(
    resolveQuery(
      termsOf(
        aTask()
          .asking({ groupBy: undefined } as Partial<Query>)
          .spec(),
      ),
      catalogue,
      policy,
      12,
    ),
  ).toMatchObject({
    value: { plan: { group: { cells: [{ label: 'all' }] } } },
  }));

test.each`
  task  | expected
  ${5}  | ${10}
  ${20} | ${20}
`("S5: the larger of the task's ($task) and the policy's (10) minimum counts", ({ task, expected }: { task: number; expected: number }) => {
  const result = resolveQuery(termsOf(aTask().minimum(task).spec()), catalogue, policy, 12);
  expect(result.ok && result.value.plan.minimumResultCardinality).toBe(expected);
});

describe('S2, S4, S7, T6: what does not resolve', () => {
  const days = (from: string, until: string): Partial<Query> => ({ where: [{ attribute: 'purchase_day', from, until }] });
  const week = { attribute: 'purchase_day', from: '2017-10-01', until: '2017-10-08' };
  test.each`
    code                     | query                                                         | on
    ${'UnknownDomain'}       | ${{ domain: 'retail.purchases' }}                             | ${catalogue}
    ${'UnknownAttribute'}    | ${{ groupBy: 'age_grp' }}                                     | ${catalogue}
    ${'UnknownAttribute'}    | ${{}}                                                         | ${withAttribute('age_group', { state: 'proposed' })}
    ${'UnknownBucket'}       | ${{ where: [{ attribute: 'product_group', in: ['gold'] }] }}  | ${catalogue}
    ${'AttributeRetired'}    | ${{}}                                                         | ${withAttribute('age_group', { state: 'retired' })}
    ${'AttributeRetired'}    | ${{}}                                                         | ${withAttribute('age_group', { state: 'superseded' })}
    ${'PredicateInvalid'}    | ${{ where: [{ attribute: 'purchase_day', in: ['monday'] }] }} | ${catalogue}
    ${'PredicateInvalid'}    | ${{ where: [{ ...week, attribute: 'product_group' }] }}       | ${catalogue}
    ${'PredicateInvalid'}    | ${days('2017-02-29', '2017-04-01')}                           | ${catalogue}
    ${'PredicateInvalid'}    | ${days('2017-04-01', '2017-03-01')}                           | ${catalogue}
    ${'PredicateInvalid'}    | ${{ where: [week, { ...week, from: '2017-09-20' }] }}         | ${catalogue}
    ${'GranularityExceeded'} | ${days('2017-10-01', '2017-10-07')}                           | ${catalogue}
    ${'GranularityExceeded'} | ${{}}                                                         | ${withAttribute('product_group', { granularity: { minimumBuckets: 2 } })}
    ${'NotGroupable'}        | ${{ groupBy: 'product_group' }}                               | ${catalogue}
    ${'NotGroupable'}        | ${{ groupBy: 'purchase_day' }}                                | ${withAttribute('purchase_day', { groupable: true })}
  `('$code', ({ code, query, on }: { code: string; query: Partial<Query>; on: Catalogue }) =>
    expect(rejectionOf(query, on)?.code).toBe(code),
  );

  test('S2: exactly as fine as allowed is allowed', () => expect(rejectionOf(days('2017-10-01', '2017-10-08'))).toBeUndefined());
  test('S2: asking a bucket twice is asking it once', () =>
    expect(
      rejectionOf(
        { where: [{ attribute: 'product_group', in: ['coffee', 'coffee'] }] },
        withAttribute('product_group', { granularity: { minimumBuckets: 2 } }),
      )?.code,
    ).toBe('GranularityExceeded'));

  test('S4: an attribute of a domain above serves, one of another concrete domain does not', () => {
    const health = { name: 'health.visit', parent: 'global', overlapBound: 3, description: '' };
    const on = (domain: string): Catalogue => ({
      ...withAttribute('age_group', { domain }),
      domains: [...catalogue.domains, health],
    });
    expect(rejectionOf({}, on('global'))).toBeUndefined();
    expect(rejectionOf({}, on('health.visit'))).toEqual({
      code: 'CrossDomainNotApproved',
      attribute: 'age_group',
      domain: 'health.visit',
      wanted: 'retail.purchase',
    });
  });
  test('S4: so does the canonical attribute behind it', () => {
    const canonicalAttributes = catalogue.canonicalAttributes.map((a) => (a.name === 'household.age' ? { ...a, domain: 'health' } : a));
    expect(rejectionOf({}, { ...catalogue, canonicalAttributes })?.code).toBe('CrossDomainNotApproved');
  });

  test('S7: deprecated attributes resolve with a warning that names the successor', () => {
    const result = resolve({}, withAttribute('age_group', { state: 'deprecated', successor: 'age_band' }));
    expect(result.ok && result.value.warnings).toEqual(['Attribute age_group is deprecated. Use age_band.']);
  });
  test('S7: a retired canonical attribute takes its projections with it, and names its successor', () => {
    const canonicalAttributes = catalogue.canonicalAttributes.map((a) =>
      a.name === 'household.age' ? { ...a, state: 'retired' as const, successor: 'person.age' } : a,
    );
    expect(rejectionOf({}, { ...catalogue, canonicalAttributes })).toEqual({
      code: 'AttributeRetired',
      attribute: 'age_group',
      successor: 'person.age',
    });
  });

  test.each`
    query                              | nearest
    ${{ groupBy: 'age_grup' }}         | ${'age_group'}
    ${{ domain: 'retail.purchse' }}    | ${'retail.purchase'}
    ${{ groupBy: 'shoe_size_of_dog' }} | ${undefined}
  `('T6: $query suggests $nearest', ({ query, nearest }: { query: Partial<Query>; nearest: string | undefined }) => {
    const rejection = rejectionOf(query) as { nearest?: string };
    expect(rejection.nearest).toBe(nearest);
  });
  test('ties in nearness go to the first in order', () => expect(nearestName('ac', ['ab', 'aa'])).toBe(undefined));
  test('ties in nearness do not depend on the order of the list', () =>
    expect([nearestName('abcx', ['abcz', 'abcy']), nearestName('abcx', ['abcy', 'abcz'])]).toEqual(['abcy', 'abcy']));
});

describe('S2, S8, B7: measures', () => {
  const numbers = aCatalogueOfNumbers();
  const measure = (...measures: NonNullable<Query['measures']>): Partial<Query> => ({ measures });
  const spend = (kind: 'sum' | 'mean' | 'quantile', rank?: string) => ({ kind, attribute: 'spend', ...(rank && { rank }) });

  test('bounds and grid come from the catalogue; epsilon is shared', () => {
    const plan = planOf(measure(spend('sum'), spend('mean'), spend('quantile', '0.950')), numbers);
    expect(Plan.parse(plan)).toEqual(plan);
    expect(plan).toMatchObject({
      measures: [
        { kind: 'sum', column: 'purchase.cents', low: 0, high: 10_000 },
        { kind: 'mean', column: 'purchase.cents', low: 0, high: 10_000 },
        { kind: 'quantile', column: 'purchase.cents', rank: { numerator: 95, denominator: 100 }, grid: [0, 1_000, 2_500, 5_000, 10_000] },
      ],
      epsilon: 500_000n,
      // Four parts of 0.125.
      microRho: 31_252n,
    });
  });
  test('B7: a task may clip at less than the catalogue, never at more', () => {
    const clipped = (clipAt: number): Partial<Query> => measure({ kind: 'sum', attribute: 'spend', clipAt });
    expect(planOf(clipped(500), numbers).measures).toEqual([{ kind: 'sum', column: 'purchase.cents', low: 0, high: 500 }]);
    expect(rejectionOf(clipped(10_001), numbers)?.code).toBe('NotMeasurable');
  });
  test('S8: a subject enters as many cells as asked, and no more than there are', () => {
    expect(planOf({ cellsPerSubject: 2 }).cellsPerSubject).toBe(2);
    expect(planOf({ cellsPerSubject: 50 }).cellsPerSubject).toBe(3);
  });

  const wide: Catalogue = {
    ...numbers,
    queryAttributes: numbers.queryAttributes.map((a) =>
      a.name === 'spend' ? { ...a, measure: { low: 0, high: 1_000_000_000_000, grid: Array.from({ length: 64 }, (_, i) => i) } } : a,
    ),
  };
  const gridless: Catalogue = {
    ...numbers,
    queryAttributes: numbers.queryAttributes.map((a) => (a.name === 'spend' ? { ...a, measure: { low: 0, high: 1 } } : a)),
  };
  const many: Catalogue = {
    ...wide,
    queryAttributes: wide.queryAttributes.map((a) =>
      a.name === 'age_group'
        ? {
            ...a,
            derivation: {
              kind: 'bucket' as const,
              from: 'household.age',
              buckets: Array.from({ length: 100 }, (_, i) => ({ name: `b${i}`, values: [`${i}`] })),
            },
          }
        : a,
    ),
  };
  test.each`
    what                           | query                                                  | on
    ${'a bucket'}                  | ${measure({ kind: 'sum', attribute: 'age_group' })}    | ${numbers}
    ${'a date'}                    | ${measure({ kind: 'sum', attribute: 'purchase_day' })} | ${numbers}
    ${'a quantile without a grid'} | ${measure(spend('quantile', '0.5'))}                   | ${gridless}
    ${'twice the same'}            | ${measure(spend('sum'), spend('sum'))}                 | ${numbers}
    ${'bounds beyond the sampler'} | ${measure(spend('sum'))}                               | ${wide}
    ${'too many numbers'}          | ${measure(spend('quantile', '0.5'))}                   | ${many}
  `('NotMeasurable: $what', ({ query, on }: { query: Partial<Query>; on: Catalogue }) =>
    expect(rejectionOf(query, on)?.code).toBe('NotMeasurable'),
  );
  test('a number is no predicate', () =>
    expect(rejectionOf({ where: [{ attribute: 'spend', from: '2017-01-01', until: '2017-02-01' }] }, numbers)?.code).toBe(
      'PredicateInvalid',
    ));
  test('epsilon too small to be shared', () => {
    const terms = termsOf(
      aTask()
        .epsilon('0.000001')
        .asking(measure(spend('quantile', '0.5')))
        .spec(),
    );
    expect(resolveQuery(terms, numbers, policy, 12)).toMatchObject({ rejection: { code: 'NotMeasurable' } });
  });
});

describe('S2, S5: and, or', () => {
  const group = (name: string) => ({ attribute: 'product_group', in: [name] });
  const young = { attribute: 'age_group', in: ['under_45'] };
  const week = { attribute: 'purchase_day', from: '2017-10-01', until: '2017-10-08' };
  test('of each list one must hold, beside all of where', () => {
    expect(planOf({ where: [week], anyOf: [[group('tea'), young]] }).where).toEqual([
      [
        { op: 'in', column: 'household.age', values: ['19-24', '25-34', '35-44'] },
        { op: 'in', column: 'purchase.commodity', values: ['DRY TEA', 'TEAS'] },
      ],
      [{ op: 'days', column: 'purchase.day', from: '2017-10-01', until: '2017-10-08' }],
    ]);
  });
  test('S6: neither the order of alternatives nor a repeated one changes the digest', () => {
    const digests = [
      [group('tea'), young],
      [young, group('tea')],
      [young, group('tea'), young],
    ].map((list) => planDigest(planOf({ where: [week], anyOf: [list] })));
    expect(new Set(digests).size).toBe(1);
  });
  test('S2: two conditions on one source are refused, alternatives of one are not', () => {
    expect(rejectionOf({ where: [group('tea')], anyOf: [[group('coffee'), young]] })?.code).toBe('PredicateInvalid');
    expect(rejectionOf({ where: [], anyOf: [[group('coffee'), group('tea')]] })).toBeUndefined();
  });
  test('S2: an alternative finer than allowed is refused', () =>
    expect(rejectionOf({ where: [], anyOf: [[young, { ...week, until: '2017-10-02' }]] })?.code).toBe('GranularityExceeded'));
});

describe('S6: the plan is a pure function', () => {
  const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> => fc.shuffledSubarray([...items], { minLength: items.length });
  const reordered: fc.Arbitrary<Catalogue> = fc
    .record({
      domains: shuffled(catalogue.domains),
      canonicalAttributes: shuffled(catalogue.canonicalAttributes),
      queryAttributes: shuffled(catalogue.queryAttributes),
    })
    .map((lists) => lists);
  const where = aTask().spec().query!.where;

  test("neither the catalogue's order nor that of predicates and buckets changes digest or semantic version", () => {
    const buckets = ['coffee', 'tea', 'other'];
    const query = (list: string[], order: typeof where): Partial<Query> => ({
      where: order.map((p) => (p.attribute === 'product_group' ? { ...p, in: list } : p)),
    });
    const expected = planDigest(planOf(query(buckets, where)));
    fc.assert(
      fc.property(reordered, shuffled(buckets), shuffled(where), (on, list, order) => {
        expect(semanticVersion(on)).toBe(semanticVersion(catalogue));
        expect(planDigest(planOf(query(list, order), on))).toBe(expected);
      }),
    );
  });
});
