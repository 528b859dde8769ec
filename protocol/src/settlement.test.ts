import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from './encoding/bytes.ts';
import { sha3 } from './encoding/hash.ts';
import { encodeSettlementLeaf, listPath, rootFromPath } from './settlement-layout.ts';
import { BATCH_LIMITS, batchFault, buildBatch, distribute, mergeTransfers, settlementSums, splitFee, tasksThatFit } from './settlement.ts';
import type { FeeShares, SettledTask } from './settlement.ts';

const address = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`;
const sum = (list: readonly { amount: bigint }[]): bigint => list.reduce((s, t) => s + t.amount, 0n);
const shares: FeeShares = { operators: 4000, executors: 2500, verifiers: 1000, dividends: 1500, treasury: 1000 };

const accounts = fc.integer({ min: 1, max: 9 }).map(address);
const amounts = fc.bigInt({ min: 0n, max: 2n ** 53n });
const feeShares = fc
  .array(fc.integer({ min: 0, max: 10_000 }), { minLength: 4, maxLength: 4 })
  .map((cuts) => [0, ...cuts.toSorted((a, b) => a - b), 10_000])
  .map((c) => ({
    operators: c[1]! - c[0]!,
    executors: c[2]! - c[1]!,
    verifiers: c[3]! - c[2]!,
    dividends: c[4]! - c[3]!,
    treasury: c[5]! - c[4]!,
  }));
const group = fc.array(accounts, { maxLength: 4 });
const settledTask = fc
  .record({ charge: amounts, refund: amounts, submitter: accounts, operators: group, executors: group, verifiers: group, seed: fc.nat() })
  .map(({ charge, refund, submitter, seed, ...who }): SettledTask => {
    const digest = hex(sha3(Uint8Array.of(seed & 255, (seed >> 8) & 255)));
    return {
      leaf: { envelope: digest, submitter, quote: charge + refund, charge, refund, evidence: digest },
      split: splitFee(charge, shares, who),
    };
  });

describe('K3: largest remainder', () => {
  test.each`
    amount    | weights      | expected
    ${10n}    | ${[1, 1, 1]} | ${[4n, 3n, 3n]}
    ${2n}     | ${[1, 1, 1]} | ${[1n, 1n]}
    ${100n}   | ${[1, 2, 3]} | ${[17n, 33n, 50n]}
    ${1n}     | ${[1, 9]}    | ${[1n]}
    ${0n}     | ${[1, 1]}    | ${[]}
    ${1_000n} | ${[0, 5, 0]} | ${[1_000n]}
  `('$amount by $weights gives $expected', ({ amount, weights, expected }: { amount: bigint; weights: number[]; expected: bigint[] }) => {
    const given = distribute(
      amount,
      weights.map((weight, i) => ({ account: address(i + 1), weight: BigInt(weight) })),
    );
    expect(given.map((t) => t.amount)).toEqual(expected);
  });

  test('the unit left over goes to the largest remainder, ties to the lower address', () => {
    expect(
      distribute(
        1n,
        [9, 1].map((w, i) => ({ account: address(i + 1), weight: BigInt(w) })),
      ),
    ).toEqual([{ account: address(1), amount: 1n }]);
    expect(
      distribute(
        1n,
        [5, 5].map((w, i) => ({ account: address(9 - i), weight: BigInt(w) })),
      ),
    ).toEqual([{ account: address(8), amount: 1n }]);
  });

  test('nothing is lost, nobody is off by a unit or more, order does not matter', () =>
    fc.assert(
      fc.property(
        amounts,
        fc.array(fc.record({ account: accounts, weight: fc.bigInt({ min: 0n, max: 1n << 40n }) }), { minLength: 1 }),
        (amount, parts) => {
          const weights = parts.reduce((s, p) => s + p.weight, 0n);
          fc.pre(weights > 0n);
          const given = distribute(amount, parts);
          expect(sum(given)).toBe(amount);
          expect(distribute(amount, parts.toReversed())).toEqual(given);
          for (const account of new Set(parts.map((p) => p.account))) {
            const weight = parts.filter((p) => p.account === account).reduce((s, p) => s + p.weight, 0n);
            const got = given.find((t) => t.account === account)?.amount ?? 0n;
            const difference = got * weights - amount * weight;
            expect(difference > -weights && difference < weights).toBe(true);
          }
        },
      ),
    ));

  test('refuses to give to nobody, and negative figures', () => {
    expect(() => distribute(1n, [])).toThrow(RangeError);
    expect(() => distribute(1n, [{ account: address(1), weight: 0n }])).toThrow(RangeError);
    expect(() => distribute(-1n, [{ account: address(1), weight: 1n }])).toThrow(RangeError);
    expect(() => splitFee(1n, { ...shares, treasury: 999 }, { operators: [], executors: [], verifiers: [] })).toThrow(RangeError);
  });
});

describe('K3: fee split', () => {
  test('a worked example', () => {
    const who = {
      operators: [address(1), address(2), address(3)],
      executors: [address(4)],
      verifiers: [address(7), address(8), address(9)],
    };
    expect(splitFee(1_000_000n, shares, who)).toEqual({
      credits: [
        { account: address(1), amount: 133_334n },
        { account: address(2), amount: 133_333n },
        { account: address(3), amount: 133_333n },
        { account: address(4), amount: 250_000n },
        { account: address(7), amount: 33_334n },
        { account: address(8), amount: 33_333n },
        { account: address(9), amount: 33_333n },
      ],
      dividends: 150_000n,
      treasury: 100_000n,
    });
  });

  test('an empty group leaves its share to the treasury', () =>
    expect(splitFee(1_000n, shares, { operators: [], executors: [], verifiers: [] })).toEqual({
      credits: [],
      dividends: 150n,
      treasury: 850n,
    }));

  test('nothing is lost or created for any shares and members', () =>
    fc.assert(
      fc.property(amounts, feeShares, group, group, group, (charge, anyShares, operators, executors, verifiers) => {
        const split = splitFee(charge, anyShares, { operators, executors, verifiers });
        expect(sum(split.credits) + split.dividends + split.treasury).toBe(charge);
        expect(split.treasury >= 0n).toBe(true);
      }),
    ));
});

describe('P3: batch', () => {
  test('K9: debits = credits + dividends + treasury, whatever the tasks', () =>
    fc.assert(
      fc.property(fc.array(settledTask, { minLength: 1, maxLength: 12 }), (tasks) => {
        const batch = buildBatch({ number: 1n, epoch: 3n, tasks });
        const sums = settlementSums(batch);
        expect(sums.debits).toBe(tasks.reduce((s, t) => s + t.leaf.charge, 0n));
        expect(sums.credits + sums.dividends + sums.treasury).toBe(sums.debits);
        expect(batchFault(batch)).toBeUndefined();
        const leaves = tasks.map((t) => encodeSettlementLeaf(t.leaf));
        leaves.forEach((leaf, i) => expect(hex(rootFromPath(i, leaves.length, leaf, listPath(i, leaves))!)).toBe(batch.tasksRoot));
      }),
      { numRuns: 50 },
    ));

  const tasks = fc.sample(settledTask, { numRuns: 5, seed: 7 });
  const batch = buildBatch({ number: 1n, epoch: 1n, tasks });
  const many = Array.from({ length: BATCH_LIMITS.debits + 1 }, (_, i) => ({ account: address(i), amount: 1n }));
  test.each`
    code                     | change
    ${'SumsDiffer'}          | ${{ treasury: batch.treasury + 1n }}
    ${'TransfersNotOrdered'} | ${{ debits: batch.debits.toReversed() }}
    ${'TransfersNotOrdered'} | ${{ credits: [batch.credits[0], ...batch.credits] }}
    ${'ZeroAmount'}          | ${{ debits: [{ account: address(0), amount: 0n }, ...batch.debits] }}
    ${'TooMany'}             | ${{ debits: many }}
    ${'TooMany'}             | ${{ taskCount: 0n }}
    ${'AmountOverflow'}      | ${{ treasury: 2n ** 64n }}
    ${'MalformedBatch'}      | ${{ debits: [{ account: '0x1', amount: 1n }] }}
    ${'MalformedBatch'}      | ${{ dividends: -1n }}
    ${'MalformedBatch'}      | ${{ tasksRoot: 'ab' }}
  `('refuses $code', ({ code, change }: { code: string; change: object }) => expect(batchFault({ ...batch, ...change })?.code).toBe(code));

  test('a task whose figures do not add up is a fault of the caller', () => {
    const task = tasks.find((t) => t.leaf.charge > 0n)!;
    const altered = [
      { ...task, leaf: { ...task.leaf, refund: task.leaf.refund + 1n } },
      { ...task, split: { ...task.split, treasury: task.split.treasury + 1n } },
    ];
    for (const bad of altered) expect(() => buildBatch({ number: 1n, epoch: 1n, tasks: [bad] })).toThrow(RangeError);
    expect(() => buildBatch({ number: 1n, epoch: 1n, tasks: [] })).toThrow('TooMany');
  });

  test('the batcher cuts before the bound of escrows', () => {
    const from = (n: number): SettledTask => ({
      leaf: { ...tasks[0]!.leaf, submitter: address(n), quote: 1n, charge: 1n, refund: 0n },
      split: { credits: [], dividends: 0n, treasury: 1n },
    });
    const queue = Array.from({ length: BATCH_LIMITS.debits + 5 }, (_, i) => from(i + 1));
    expect(tasksThatFit(queue)).toBe(BATCH_LIMITS.debits);
    expect(tasksThatFit(queue.slice(0, 3))).toBe(3);
    expect(buildBatch({ number: 1n, epoch: 1n, tasks: queue.slice(0, tasksThatFit(queue)) }).debits).toHaveLength(BATCH_LIMITS.debits);
    expect(mergeTransfers([])).toEqual([]);
  });
});
