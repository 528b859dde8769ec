/** A peer that is slow, away or flooding costs itself only. */
import { expect, test } from 'vitest';
import { fakeClock } from '../../../kube/clock.ts';
import type { Input } from '../state.ts';
import { Inbox, INBOX_LIMITS } from './inbox.ts';
import { PeerLink, type Channel } from './peer-link.ts';
import type { Packet } from './wire-codec.ts';

const packet = (n: number, size = 1): Packet => ({ header: Uint8Array.of(n), payload: new Uint8Array(size) });
const channels = () => {
  const opened: { readonly sent: number[]; full: boolean; drain: () => void; end: () => void }[] = [];
  const open = (): Channel => {
    const over = Promise.withResolvers<void>();
    let drained = Promise.withResolvers<void>();
    const state = {
      sent: [] as number[],
      full: false,
      drain: () => {
        state.full = false;
        drained.resolve();
        drained = Promise.withResolvers<void>();
      },
      end: () => over.resolve(),
    };
    opened.push(state);
    return {
      write: ({ header }) => {
        state.sent.push(header[0] ?? -1);
        return !state.full;
      },
      drained: () => drained.promise,
      ended: over.promise,
      close: () => over.resolve(),
    };
  };
  return { opened, open };
};
const link = (limits: { mostPackets?: number; mostBytes?: number } = {}) => {
  const clock = fakeClock();
  const { opened, open } = channels();
  return { clock, opened, link: new PeerLink({ open, clock, random: () => 0.5, ...limits }) };
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('while a peer takes, messages go at once and in order', async () => {
  const { link: peer, opened } = link();
  peer.start();
  for (const n of [1, 2, 3]) peer.send(packet(n));
  expect(opened[0]?.sent).toEqual([1, 2, 3]);
  await peer.stop();
});
test('a slow peer: what waits is bounded, and the oldest goes first', async () => {
  const { link: peer, opened } = link({ mostPackets: 3 });
  peer.start();
  opened[0]!.full = true;
  for (const n of [1, 2, 3, 4, 5, 6]) peer.send(packet(n));
  expect([opened[0]?.sent, peer.waiting(), peer.dropped()]).toEqual([[1], 3, 2]);
  opened[0]!.drain();
  await turn();
  expect(opened[0]?.sent).toEqual([1, 4, 5, 6]);
  await peer.stop();
});
test('bounded in bytes, too', async () => {
  const { link: peer, opened } = link({ mostBytes: 250 });
  peer.start();
  opened[0]!.full = true;
  for (const n of [1, 2, 3, 4]) peer.send(packet(n, 99));
  expect([peer.waiting(), peer.dropped()]).toEqual([2, 1]);
  await peer.stop();
});
test('a peer that is away is tried again, later each time; what waited is sent', async () => {
  const { link: peer, opened, clock } = link();
  peer.start();
  opened[0]!.end();
  const first = await clock.untilSleeping();
  peer.send(packet(7));
  clock.advance(first);
  await turn();
  expect(opened[1]?.sent).toEqual([7]);
  opened[1]!.end();
  expect(await clock.untilSleeping()).toBeGreaterThanOrEqual(first);
  await peer.stop();
});

const status = (certified: bigint): Input => ({ kind: 'message', from: 1, wire: { kind: 'status', certified, fetching: 0n, next: [] } });
const wish = (from: number, view: number): Input => ({ kind: 'message', from, wire: { kind: 'request-view', view } });
test('a flood of one peer delays nobody else, and pauses its own stream', () => {
  const inbox = new Inbox(() => 0, { ...INBOX_LIMITS, waiting: 8, turn: 2, statuses: 100 });
  let resumed = 0;
  const room = Array.from({ length: 10 }, (_, i) => inbox.put(1, wish(1, i), () => (resumed += 1)));
  expect(room).toEqual([...Array.from({ length: 7 }, () => true), false, false, false]);
  inbox.put(2, wish(2, 99));
  inbox.put('own', { kind: 'tick', now: 1 });
  expect(inbox.take()).toEqual([wish(1, 0), wish(1, 1), wish(2, 99), { kind: 'tick', now: 1 }]);
  expect(resumed).toBe(0);
  for (let i = 0; i < 4; i += 1) inbox.take();
  expect([resumed, inbox.isEmpty()]).toEqual([3, true]);
});
test('statuses cost a page of blocks each: so many a second are answered', () => {
  let now = 0;
  const inbox = new Inbox(() => now, { ...INBOX_LIMITS, waiting: 100, turn: 100, statuses: 2 });
  for (let i = 0n; i < 5n; i += 1n) inbox.put(1, status(i));
  expect(inbox.take()).toHaveLength(2);
  now = 1_000;
  inbox.put(1, status(9n));
  expect(inbox.take()).toHaveLength(1);
});
