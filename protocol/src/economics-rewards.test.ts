/** The tables of docs/economics.md on what is earned beside fees, run against the rules (K4, K5, K6, K7, N3). */
import { describe, expect, test } from 'vitest';
import { formatSym, parseSym } from './amounts.ts';
import { dividendShares } from './blind-tree.ts';
import { DEFAULT_ECONOMY, qualities } from './economy.ts';
import { decodeNodeRewards, nodeRewardsKey } from './inflation.ts';
import { qualityRewards, recordScore, type Scores } from './quality.ts';
import { earnedCredits } from './rules/credits.ts';
import { shareOfVault, subjectsOfBand } from './rules/dividend-pots.ts';
import { splitFee } from './settlement.ts';
import { list, tablesIn, type Row } from './testing/document-tables.ts';
import { aGenesis, aPolicy } from './testing/genesis.ts';
import { testKey } from './testing/keys.ts';
import { aTask } from './testing/task.ts';
import { World } from './testing/world.ts';

const { rowsOf } = tablesIn('economics.md');
const named = (name: string): string => testKey(`economics ${name}`).address;

test.each(rowsOf('Node rewards'))('K7: $minted minted: $each master to each master, $work by work', (row) => {
  const world = World.ready(aGenesis());
  const admitted = row['slices and aggregations'] === 'none' ? undefined : world.submit(aTask());
  if (admitted !== undefined) world.runTo(admitted, 'completed');
  world.mint(BigInt(row['minted']!));
  world.observe();
  world.advance(aPolicy().epoch.lengthMs);
  const { transfers } = decodeNodeRewards(world.state.map.get(nodeRewardsKey(1n))!);
  const got = (account: string): bigint => transfers.find((t) => t.account === account)?.amount ?? 0n;
  const descending = (amounts: readonly bigint[]): string => amounts.toSorted((a, b) => Number(b - a)).join(', ');
  expect(descending([0, 1, 2].map((i) => got(testKey(`reward ${i}`).address)))).toBe(row['each master']);
  expect(descending(['alder', 'birch', 'cedar'].map((name) => got(world.address(name))))).toBe(row['each enterprise']);
});

const dividendRow = (row: Row) => {
  const delivered = Number(row['Vaults']);
  const who = { operators: Array.from({ length: delivered }, (_, i) => named(`operator ${i}`)), executors: [], verifiers: [] };
  const pot = shareOfVault(splitFee(parseSym(row['charge']!), aPolicy().fees.shares, who).dividends, delivered);
  const work = [{ account: named('producer'), charged: BigInt(row['own subjects charged']!), share: pot }];
  const [earned] = dividendShares(work, { amount: pot, total: pot }, subjectsOfBand(DEFAULT_ECONOMY, Number(row['size band'])));
  return { pot, earned: earned?.amount ?? 0n };
};
test.each(rowsOf('Dividends'))('K6, K5: of $charge, a producer with $own subjects charged earns $staked', (row) => {
  const { pot, earned } = dividendRow(row);
  expect([pot, earned, earned / 2n, earned - earned / 2n].map(String)).toEqual([
    row['pot of a Vault'],
    row['staked'],
    row['not staked'],
    row['then to the treasury'],
  ]);
});

describe('K4, K5: quality rewards', () => {
  const scoresOf = (cell: string): Scores =>
    Object.fromEntries(qualities.map((q, i) => [q, Number(list(cell)[i])])) as Record<keyof Scores, number>;
  const { weights } = DEFAULT_ECONOMY.quality;
  test.each(rowsOf('Quality rewards'))('$record scores $score', (row) =>
    expect(String(recordScore(scoresOf(row['parsability, completeness, freshness, non-duplication, demand']!), weights))).toBe(
      row['score'],
    ),
  );
  const rows = rowsOf('Quality rewards', 1);
  test.each(rows)('$producer earns $earns', (row) => {
    const perfect: Scores = scoresOf('10000, 10000, 10000, 10000, 10000');
    const records = rows.flatMap((r) =>
      Array.from({ length: Number(r['perfect records']) }, () => ({ producer: named(r['producer']!), scores: perfect })),
    );
    const staked = new Set(rows.filter((r) => r['staked'] === 'yes').map((r) => named(r['producer']!)));
    const { rewards } = qualityRewards(records, { pot: parseSym('100'), cap: parseSym('40'), weights }, staked);
    expect(formatSym(rewards.find(({ account }) => account === named(row['producer']!))?.amount ?? 0n)).toBe(row['earns']);
  });
});

test.each(rowsOf('Credits'))('N3: a charge of $charge with $credits held takes $taken', (row) => {
  const [charge, held] = [parseSym(row['charge']!), parseSym(row['credits held']!)];
  const used = held < charge ? held : charge;
  const operators = list(row['Vaults of']!).map(named);
  const earned = earnedCredits(charge - used, operators, DEFAULT_ECONOMY.creditBasisPoints, (e) => e === named(row['payer']!));
  const { credits, dividends, treasury } = splitFee(charge - used, aPolicy().fees.shares, {
    operators,
    executors: operators,
    verifiers: [named('master')],
  });
  expect(formatSym(charge - used)).toBe(row['taken']);
  expect(credits.reduce((sum, t) => sum + t.amount, dividends + treasury)).toBe(charge - used);
  expect(formatSym(earned.reduce((sum, t) => sum + t.amount, 0n))).toBe(row['credits earned']);
});
