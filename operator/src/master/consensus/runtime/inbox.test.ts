/** N1, N7: what a peer sends waits in bounded room, however it is sent. */
import { expect, test } from 'vitest';
import type { Input } from '../state.ts';
import { Inbox } from './inbox.ts';

const LIMITS = { waiting: 4, bytes: 1_000, turn: 3, turnBytes: 500, statuses: 2 };
const command = (size = 1): Input => ({ kind: 'message', from: 1, wire: { kind: 'command', bytes: new Uint8Array(size) } });
const view: Input = { kind: 'message', from: 1, wire: { kind: 'request-view', view: 1 } };

test('N7: who opens one stream after the other gets no more room by that', () => {
  const inbox = new Inbox(() => 0, LIMITS);
  let resumed = 0;
  for (let i = 0; i < 1_000; i += 1) inbox.put(1, view, () => (resumed += 1));
  expect(inbox.waiting(1)).toBe(LIMITS.waiting);
  inbox.take();
  expect(resumed).toBeGreaterThan(0);
  expect(resumed).toBeLessThanOrEqual(16);
});

test('N7: large messages fill a queue and a turn before many do', () => {
  const inbox = new Inbox(() => 0, LIMITS);
  expect([600, 600, 600].map((size) => inbox.put(1, command(size)))).toEqual([true, false, false]);
  expect(inbox.waiting(1)).toBe(2);
  expect(inbox.take()).toHaveLength(1);
  expect(inbox.take()).toHaveLength(1);
  expect(inbox.put(1, command(600))).toBe(true);
});

test('N7: one peer is full and the other is heard; what is a master’s own is never dropped', () => {
  const inbox = new Inbox(() => 0, LIMITS);
  for (let i = 0; i < 10; i += 1) inbox.put(1, view);
  expect(inbox.put(2, view)).toBe(true);
  for (let i = 0; i < 10; i += 1) expect(inbox.put('own', { kind: 'command', bytes: new Uint8Array(900) })).toBe(true);
});

test('N7: words on formations are bounded by the second', () => {
  let now = 0;
  const inbox = new Inbox(() => now, LIMITS);
  expect([1, 1, 1].map((peer) => inbox.admits(peer).admitted)).toEqual([true, true, false]);
  expect(inbox.admits(2).admitted).toBe(true);
  now = 1_000;
  expect(inbox.admits(1).admitted).toBe(true);
});

test('N7: a peer with too many words a second is not read from until the next: nothing is decoded to be dropped, and nothing is lost', () => {
  let now = 0;
  let resumed = 0;
  const inbox = new Inbox(() => now, LIMITS);
  const status: Input = { kind: 'message', from: 1, wire: { kind: 'status', certified: 0n, fetching: 0n, next: [] } };
  expect([1, 2].map(() => inbox.put(1, status, () => (resumed += 1)))).toEqual([true, false]);
  expect(inbox.admits(1, () => (resumed += 1))).toEqual({ admitted: false, room: false });
  expect([inbox.take().length, resumed]).toEqual([2, 0]);
  now = 1_000;
  expect([inbox.take().length, resumed]).toEqual([0, 2]);
});
