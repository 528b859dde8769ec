/** `status`: what a person sees of a task at each stage. */
import { describe, expect, test } from 'vitest';
import { API_VERSION, encodeCanonical, hex, type Task, type TaskStatus } from '@scs/protocol';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { summaryLines, taskSummary } from './task-summary.ts';

const aStatus = (status?: TaskStatus): Task => ({
  apiVersion: API_VERSION,
  kind: 'Task',
  metadata: { name: 'coffee', namespace: 'roastery', uid: '1' },
  spec: aTask().spec(),
  ...(status && { status }),
});
const condition = (type: string, status: 'True' | 'False', message: string) => ({
  type,
  status,
  reason: type,
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const proofOf = (record: unknown): NonNullable<TaskStatus['proof']> => ({
  key: 'task/1',
  value: hex(encodeCanonical(record)),
  siblings: [],
  head: { genesis: 'ab'.repeat(32), generation: '0', height: '1', stateRoot: 'ab'.repeat(32), block: 'ab'.repeat(32) },
  votes: [],
});
const lines = (task: Task) => summaryLines(taskSummary(task));

test('not seen by the masters yet', () => {
  expect(lines(aStatus())).toEqual([
    'task          roastery/coffee',
    'state         not admitted yet',
    'waiting for   The masters have not decided on it yet.',
  ]);
});

test('under way: what is waited for, deadlines from the record beside it, the Vaults, the fee', () => {
  const world = World.ready();
  const record = world.runTo(world.submit(aTask()), 'dispatched');
  const shown = lines(
    aStatus({
      state: 'dispatched',
      fee: { maximum: '10', locked: '5.25', quoted: '5.25' },
      conditions: [
        condition('Accepted', 'True', 'fits'),
        condition('Completed', 'False', 'The steps before it come first.'),
        condition('Dispatched', 'True', 'sealed'),
        condition('Resolved', 'True', 'has a plan'),
        condition('Verified', 'False', 'No attested enclave yet for alder/shoppers.'),
      ],
      vaults: [
        { vault: 'alder/shoppers', state: 'reserved' },
        { vault: 'birch/shoppers-two', state: 'refused', reason: 'VaultBusy', message: 'not now' },
      ],
      aggregator: '0xabc',
      history: [
        { state: 'accepted', height: 5, time: '2026-01-01T00:00:00.000Z' },
        { state: 'resolving', height: 6, time: '2026-01-01T00:00:00.300Z' },
        { state: 'dispatched', height: 9, time: '2026-01-01T00:00:12.000Z' },
      ],
      proof: proofOf(record),
    }),
  );
  expect(shown).toEqual([
    'task          roastery/coffee',
    'state         dispatched',
    'waiting for   No attested enclave yet for alder/shoppers.',
    `until         ${new Date(record.deadline).toISOString()}`,
    `ends by       ${new Date(record.finalDeadline).toISOString()}`,
    'fee (SYM)     maximum 10, locked 5.25, quoted 5.25',
    'Vault         alder/shoppers      reserved',
    'Vault         birch/shoppers-two  refused (VaultBusy: not now)',
    'aggregator    0xabc',
    '                   0.0 s  accepted, height 5',
    '                   0.3 s  resolving, height 6',
    '                  12.0 s  dispatched, height 9',
  ]);
});

test('rejected: why, what to change, and what was charged', () => {
  expect(
    lines(
      aStatus({
        state: 'rejected',
        reason: 'FeeAboveMaximum',
        message: 'The quote is 5 SYM, above spec.maxFee 1 SYM. Raise maxFee or ask fewer Vaults.',
        fee: { maximum: '1', locked: '0', charged: '0', freed: '1' },
      }),
    ),
  ).toEqual([
    'task          roastery/coffee',
    'state         rejected (FeeAboveMaximum)',
    'why           The quote is 5 SYM, above spec.maxFee 1 SYM. Raise maxFee or ask fewer Vaults.',
    'fee (SYM)     maximum 1, locked 0, charged 0, freed 1',
  ]);
});

test('completed: result and settlement', () => {
  const shown = lines(
    aStatus({
      state: 'completed',
      result: { configMap: 'coffee-result', digest: 'ab'.repeat(32), provisional: false },
      settlement: { batch: 3, transaction: '0xdef' },
    }),
  );
  expect(shown).toContain('result        ConfigMap coffee-result');
  expect(shown).toContain('settlement    batch 3, transaction 0xdef');
  expect(shown.join()).not.toContain('waiting');
});

describe('without a readable record', () => {
  const history = [{ state: 'accepted' as const, height: 1, time: '2026-01-01T00:00:00Z' }];
  test('the end follows from admission and the spec', () => {
    expect(taskSummary(aStatus({ state: 'accepted', history }))).toMatchObject({ finalDeadline: '2026-01-01T00:10:00.000Z' });
  });
  test('a record that is none is left aside', () => {
    const summary = taskSummary(aStatus({ state: 'accepted', history, proof: { ...proofOf({ a: 1 }) } }));
    expect(summary.finalDeadline).toBe('2026-01-01T00:10:00.000Z');
    expect(summary.deadline).toBeUndefined();
  });
});
