/** A message that is read back from the disk (rule N2): its legality is not asked for again, and it means what it meant. */
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { expect, test } from 'vitest';
import type { Body, Kept } from './messages.ts';
import { readAgain } from './read-stream.ts';
import { openStream } from './stream.ts';

const [own, block] = [digestOf('own'), digestOf('block')];
const base = { height: 0n, block: digestOf('genesis') };
const stream = openStream(own, 1, 0n);
const kept = (body: Body, reading?: Kept['reading']): Kept => ({
  body,
  ui: { key: own, counter: 1, signature: '' },
  ...(reading ? { reading } : {}),
});
const commit: Body = { kind: 'commit', view: 0, height: 3n, block, prepare: { key: digestOf('other'), counter: 9 } };

test('N2: a commit holds its block though its prepare is gone by now', () => {
  const read = readAgain(base, stream, kept(commit));
  expect(read.committed).toEqual({ height: 3n, block });
  expect(read.stream.entries.get(3n)).toEqual({ view: 0, block });
  expect(read.stream.blind).toBe(0n);
});
test('N2: a commit whose prepare could not be seen says nothing, again', () => {
  const read = readAgain(base, stream, kept(commit, { unseen: true }));
  expect(read.committed).toBeUndefined();
  expect(read.stream.entries.size).toBe(0);
  expect(read.stream.blind).toBe(3n);
});
test('N2: a new view has the plan it had; without one the disk is at fault', () => {
  const place = { key: digestOf('other'), counter: 9 };
  const view: Body = { kind: 'new-view', view: 4, base: null, quorum: [place, place] };
  const { lead } = readAgain(base, stream, kept(view, { again: [{ height: 1n, block, vouched: true }] })).stream;
  expect(lead).toMatchObject({ view: 4, base: 0n, baseBlock: base.block, next: 1n });
  expect([lead?.plan.get(1n), lead?.vouched.has(block)]).toEqual([block, true]);
  expect(() => readAgain(base, stream, kept(view))).toThrow(RangeError);
});
