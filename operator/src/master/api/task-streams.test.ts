/** Who is told of which tasks (N10), within bounds. */
import { EventEmitter, once } from 'node:events';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { CertifiedLeaf, WatchTasksRequest } from '@scs/proto';
import { hex } from '@scs/protocol';
import { enterprises, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { anOffer, registerCommand } from '@scs/protocol/testing/statements.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { expect, test } from 'vitest';
import { fakeClock } from '../../kube/clock.ts';
import type { Decided } from '../log/log.ts';
import { TaskIndex } from '../task-index.ts';
import { TaskStreams } from './task-streams.ts';

const head = { genesis: '00'.repeat(32), generation: 0n, height: 1n, stateRoot: '00'.repeat(32), block: '00'.repeat(32) };
const setup = (world: World) => {
  const log = {
    state: () => world.state,
    height: () => world.height,
    onDecided: () => () => {},
    leaf: (key: string) => ({ key, value: hex(world.state.map.get(key)!), siblings: [], certificate: { head, votes: [] } }),
  };
  return new TaskStreams(log, new TaskIndex(log), fakeClock(world.time));
};
/** A stream as grpc-js hands it in, and the keys that were written to it. */
const aCall = (uid: string) => {
  const keys: string[] = [];
  const stream = Object.assign(new EventEmitter(), {
    request: { uid },
    destroyed: false,
    write: ({ key }: CertifiedLeaf) => keys.push(key) > 0,
  });
  return { keys, call: stream as object as ServerWritableStream<WatchTasksRequest, CertifiedLeaf> };
};
const address = (name: string): string => actorKey(name).address;

test('N10: an enterprise hears of the tasks that ask its Vaults, and of no other, whichever uid it names', () => {
  const world = new World();
  for (const vault of vaultNames.slice(0, 2)) world.block(registerCommand(world, anOffer(vault)));
  world.fund('roastery', '100');
  world.observe();
  const uid = world.submit(aTask().signed(world.genesis));
  expect(world.task(uid).parts.map((p) => p.enterprise)).toEqual([address(enterprises[0]), address(enterprises[1])]);
  const streams = setup(world);
  for (const [i, name] of enterprises.entries())
    for (const asked of ['', uid]) {
      const { call, keys } = aCall(asked);
      streams.open(call, name, address(name));
      expect(keys).toEqual(i < 2 ? [`task/${uid}`] : []);
    }
});

test('a stream names a task or none; and a caller has so many, no more', () => {
  const streams = setup(World.ready());
  const open = (uid: string) => streams.open(aCall(uid).call, 'x', address('alder'));
  expect(() => open('a'.repeat(100_000))).toThrow(/no such task/);
  expect(() => open('../../x')).toThrow(/no such task/);
  expect(streams.count()).toBe(0);
  for (let i = 0; i < 4_096; i += 1) open('ab');
  expect(() => open('ab')).toThrow(/too many/);
});

test('N7: a stream that nobody reads ends with a status, so that its reader asks again instead of waiting for good', async () => {
  const world = World.ready();
  const uid = world.submit(aTask().signed(world.genesis));
  let tell: (decided: Decided) => void = () => {};
  let now = 0;
  const log = {
    state: () => world.state,
    height: () => world.height,
    onDecided: (handler: typeof tell) => ((tell = handler), () => {}),
    leaf: (key: string) => ({ key, value: hex(world.state.map.get(key)!), siblings: [], certificate: { head, votes: [] } }),
  };
  const index = new TaskIndex({ state: log.state, onDecided: () => () => {} });
  const streams = new TaskStreams(log, index, { now: () => now, sleep: async () => {} });
  const { call } = aCall('');
  const full = Object.assign(call, { write: () => false });
  const ended = once(full, 'error').catch((error: unknown) => [error]);
  streams.open(full, 'x', undefined);
  now = 30_001;
  tell({ block: world.blocks.at(-1)!, certificate: { head, votes: [] }, state: world.state, touched: [`task/${uid}`] });
  expect((await ended)[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});
