/** Quality rewards (K4, K5): exact, capped, half without a stake; and the overview's receipts as a story. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSym } from './amounts.ts';
import { DEFAULT_ECONOMY } from './economy.ts';
import { MAX_SCORE, qualityRewards, recordScore, type ScoredRecord, type Scores } from './quality.ts';
import { testKey } from './testing/keys.ts';

const { weights } = DEFAULT_ECONOMY.quality;
const producer = (name: string): string => testKey(`producer ${name}`).address;
const good: Scores = { parsability: 10_000, completeness: 10_000, freshness: 10_000, nonDuplication: 10_000, demand: 10_000 };
const receipt = (name: string, change: Partial<Scores> = {}): ScoredRecord => ({
  producer: producer(name),
  scores: { ...good, ...change },
});
const terms = { pot: parseSym('90'), cap: parseSym('60'), weights };
const paidTo = (
  name: string,
  records: readonly ScoredRecord[],
  staked: readonly string[] = [],
  change: Partial<typeof terms> = {},
): bigint =>
  qualityRewards(records, { ...terms, ...change }, new Set(staked.map(producer))).rewards.find(({ account }) => account === producer(name))
    ?.amount ?? 0n;

describe('K4: a record and its score', () => {
  test.each([
    ['perfect', {}, 10_000],
    ['half as complete', { completeness: 5_000 }, 8_750],
    ['stale', { freshness: 0 }, 8_500],
    ['nobody asks for it', { demand: 0 }, 9_000],
    ['a duplicate', { nonDuplication: 0 }, 0],
    ['unreadable', { parsability: 0, completeness: 0 }, 4_500],
  ] as const)('%s', (_, change, score) => expect(recordScore({ ...good, ...change }, weights)).toBe(score));
  test.each([10_001, -1, 0.5, Number.NaN])('a score of %s is refused', (score) =>
    expect(() => recordScore({ ...good, demand: score }, weights)).toThrow('0 to 10,000'),
  );
});

describe("the overview's receipts: two people upload theirs, the epoch's pot is theirs by quality", () => {
  const receipts = [receipt('ann'), receipt('ann'), receipt('ben', { completeness: 5_000, demand: 5_000 })];
  test('K5: with a stake, all of it; without, half, and the treasury has the rest', () => {
    const both = qualityRewards(receipts, terms, new Set([producer('ann'), producer('ben')]));
    const ben = parseSym('90') * 8_250n;
    expect(paidTo('ben', receipts, ['ann', 'ben'])).toBe(ben / 28_250n);
    expect(paidTo('ann', receipts, ['ann', 'ben'])).toBe(parseSym('60')); // capped: 63.7 without
    expect(both.withheld).toBe(0n);
    const without = qualityRewards(receipts, terms, new Set([producer('ann')]));
    expect(paidTo('ben', receipts, ['ann'])).toBe(ben / 28_250n / 2n);
    expect(paidTo('ann', receipts, ['ann'])).toBe(parseSym('60'));
    expect(without.withheld).toBe(ben / 28_250n - ben / 28_250n / 2n);
    expect(without.left).toBe(both.left);
  });
  test('the same receipt twice earns once', () => {
    const twice = [...receipts, receipt('ben', { nonDuplication: 0 })];
    expect(paidTo('ben', twice, ['ben'])).toBe(paidTo('ben', receipts, ['ben']));
  });
  test('no record, no reward: the pot waits for the next epoch', () =>
    expect(qualityRewards([], terms, new Set())).toEqual({ rewards: [], withheld: 0n, left: terms.pot }));
});

test('K9: rewards, what is withheld and what is left are the pot, whatever the scores', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          who: fc.integer({ min: 0, max: 6 }),
          scores: fc.record(
            Object.fromEntries(Object.keys(good).map((q) => [q, fc.integer({ min: 0, max: MAX_SCORE })])) as Record<
              keyof Scores,
              fc.Arbitrary<number>
            >,
          ),
        }),
        { maxLength: 40 },
      ),
      fc.bigInt(0n, 2n ** 62n),
      fc.bigInt(0n, 2n ** 62n),
      fc.array(fc.integer({ min: 0, max: 6 })),
      (records, pot, cap, staked) => {
        const of = (n: number): string => producer(String(n));
        const { rewards, withheld, left } = qualityRewards(
          records.map(({ who, scores }) => ({ producer: of(who), scores })),
          { pot, cap, weights },
          new Set(staked.map(of)),
        );
        expect(rewards.reduce((sum, { amount }) => sum + amount, withheld + left)).toBe(pot);
        expect(rewards.every(({ amount }) => amount > 0n && amount <= cap)).toBe(true);
        expect(withheld >= 0n && left >= 0n).toBe(true);
      },
    ),
    { seed: 4, numRuns: 200 },
  ));
