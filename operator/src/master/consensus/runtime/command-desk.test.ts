/** N1: one command that nobody foresaw costs that command, not the master. */
import { expect, test } from 'vitest';
import { genesisDigest, hex, type Command } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { fakeClock } from '../../../kube/clock.ts';
import { rulesOf } from '../../rules.ts';
import type { Tip } from '../chain.ts';
import { startState } from '../state.ts';
import { CommandDesk } from './command-desk.ts';
import { Inbox } from './inbox.ts';

test('a candidate that has no canonical form is refused, and the others are offered', () => {
  const genesis = aGenesis();
  const world = World.ready(genesis);
  const clock = fakeClock(world.time);
  const good = aTask().signed(genesis);
  const bad: Command = { type: 'chain.observed', ledgerVersion: 1n, time: 1e17, escrows: [], settled: [] };
  const { height, block } = world.state.must('meta');
  const head = { genesis: genesisDigest(genesis), generation: 0n, height, stateRoot: hex(world.state.root()), block };
  const certified: Tip = { head, bytes: new Uint8Array(), time: world.time, records: world.state };
  const chain = { certified, decided: [], digests: new Map(), marks: new Map(), roster: [], snapshots: [certified], floor: 0n };
  const refused: string[] = [];
  const inbox = new Inbox(() => clock.now());
  const desk = new CommandDesk({
    rules: rulesOf(genesis, genesisDigest(genesis)),
    candidates: { take: () => [bad, good], refused: ({ type }, code) => void refused.push(`${type} ${code}`) },
    inbox,
    clock,
    state: () => startState(chain, { height, block }, 'key'),
    certified: () => ({ records: world.state, height }),
    isPrimary: () => true,
    wake: () => {},
  });
  desk.offerDue();
  desk.close();
  expect(refused).toEqual(['chain.observed CommandMalformed']);
  expect([...inbox.take()].map(({ kind }) => kind)).toEqual(['command']);
});
