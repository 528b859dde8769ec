/** ADR 0022: how long what is durable in the journal stays there alone. */
import { expect, test } from 'vitest';
import { flushDue, IdleFlush } from './flush-due.ts';

const nothing = { blocks: 0, votes: 0, bytes: 0 };

test('G4: a vote without its block waits a second at most, as a block does', () => {
  for (const waiting of [
    { ...nothing, votes: 1 },
    { ...nothing, blocks: 1, bytes: 9 },
  ]) {
    const idle = new IdleFlush();
    expect([0, 500, 999, 1_000, 1_001].map((now) => idle.due(now, waiting))).toEqual([false, false, false, true, false]);
  }
});
test('what has gone meanwhile does not count', () => {
  const idle = new IdleFlush();
  expect([idle.due(0, { ...nothing, votes: 1 }), idle.due(500, nothing), idle.due(1_200, { ...nothing, votes: 1 })]).toEqual([
    false,
    false,
    false,
  ]);
});
test('many blocks, or large ones, do not wait', () => {
  expect([63, 64].map((blocks) => flushDue({ blocks, votes: blocks, bytes: 1 }))).toEqual([false, true]);
  expect(flushDue({ blocks: 1, votes: 0, bytes: 4 * 1024 * 1024 })).toBe(true);
});
