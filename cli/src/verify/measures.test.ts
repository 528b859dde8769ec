/** B7, S5: what `verify` says of sums, means and quantiles inside the seal. */
import { beforeAll, expect, test } from 'vitest';
import type { TaskResult } from '@scs/protocol';
import { aCatalogueOfNumbers, aGenesis } from '@scs/protocol/testing/genesis.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { decodeBundle } from '../bundle.ts';
import { settledTask, type SettledTask } from '../testing/settled-task.ts';
import { failed } from './check.ts';
import { verifyTask } from './verify-task.ts';

let settled: SettledTask;
beforeAll(async () => {
  const genesis = aGenesis({ catalogue: aCatalogueOfNumbers() });
  const measures = [
    { kind: 'mean', attribute: 'spend' },
    { kind: 'quantile', attribute: 'spend', rank: '0.5' },
  ] as const;
  settled = await settledTask({
    genesis,
    admit: aTask()
      .asking({ measures: [...measures] })
      .signed(genesis),
  });
});

const failing = (changes: Partial<TaskResult>): string[] => {
  const { task, genesis, files, chain, record } = settled;
  const cells = settled.result.cells.map((cell) => (cell.count === undefined ? cell : { ...cell, values: [123_456n, 2_500n] }));
  const result = { ...settled.result, cells, measures: record.plan!.measures!, ...changes };
  const input = { task, genesis, bundle: decodeBundle(files), opening: { kind: 'opened', result }, chain } as const;
  return failed(verifyTask(input)).map(({ name }) => name);
};
const cells = (values: bigint[] | undefined, label: string, count: bigint | undefined): TaskResult['cells'] =>
  settled.result.cells.map((cell) =>
    cell.label === label
      ? { label, ...(count !== undefined && { count }), ...(values && { values }) }
      : { ...cell, ...(cell.count !== undefined && { values: [1n, 0n] }) },
  );

test('values of the plan, from its grid: every line holds', () => expect(failing({})).toEqual([]));

test.each<[string, () => Partial<TaskResult>]>([
  ['a quantile that is not of the grid', () => ({ cells: cells([1n, 2_501n], 'under_45', 412n) })],
  ['a value too few', () => ({ cells: cells([1n], 'under_45', 412n) })],
  ['no values', () => ({ cells: cells(undefined, 'under_45', 412n) })],
  ['values of a suppressed cell', () => ({ cells: cells([1n, 0n], 'unknown', undefined) })],
  ['other bounds', () => ({ measures: settled.record.plan!.measures!.map((m) => (m.kind === 'quantile' ? m : { ...m, high: 1 })) })],
])('%s: the line of the opening fails', (_, changes) => expect(failing(changes())).toEqual(['opening']));
