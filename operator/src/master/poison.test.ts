/** N1: one command that nobody foresaw costs that command, not the log; what can't be in a block is never offered to one. */
import { expect, test } from 'vitest';
import { State, genesisDigest } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { fakeClock } from '../kube/clock.ts';
import { silentLogger } from './log/testing/silent-logger.ts';
import { rulesOf } from './rules.ts';
import { ChainReader } from './settlement/chain-reader.ts';
import { seenTask, SUBMITTED_BY } from './task-objects.ts';

const genesis = aGenesis();
const rules = rulesOf(genesis, genesisDigest(genesis));

test('rules that throw give a fault', () => {
  const at = { time: genesis.time, height: 1n };
  expect(rules.apply(new State(), { type: 'tick' }, at)).toMatchObject({ ok: false, fault: { code: 'RulesFailed' } });
  const block = { height: 1n, generation: 0n, parent: '00'.repeat(32), time: genesis.time, proposer: 0, commands: [] };
  expect(rules.applyBlock(new State(), block)).toMatchObject({ ok: false, fault: { code: 'RulesFailed' } });
});

test('a Task that fits no command, such as one by a user with a very long name, is told so and never proposed', () => {
  const { uid, namespace, name, spec } = aTask().signed(genesis);
  const user = `system:serviceaccount:roastery:${'a'.repeat(253)}`;
  expect(seenTask({ metadata: { uid, namespace, name, annotations: { [SUBMITTED_BY]: user } }, spec })).toMatch(/user/);
  expect(seenTask({ metadata: { uid, namespace, name, annotations: { [SUBMITTED_BY]: 'roastery' } }, spec })).toMatchObject({ uid });
});

test('figures of a chain node that no block can hold are not offered to one', async () => {
  const world = World.ready(genesis);
  const told = { ledgerVersion: 10n ** 6n, timestampMs: 10n ** 17n, nextBatch: 1n, escrows: {} };
  const figures = { minted: 0n, unpromised: 0n, bonded: {}, landed: { 'node-rewards': 0n, dividends: 0n, slash: 0n, governance: 0n } };
  const clock = fakeClock(world.time);
  const reader = new ChainReader({
    chain: { observe: async () => told, settledBatch: async () => undefined, economy: async () => figures },
    genesis: world.genesis,
    accounts: [],
    state: () => world.state,
    active: () => true,
    maxAgeMs: 1_000,
    clock,
    logger: silentLogger,
    onReading: () => {
      throw new Error('offered');
    },
  });
  reader.request();
  const stop = new AbortController();
  const running = reader.run(stop.signal);
  await clock.untilSleeping();
  expect(reader.candidate()).toBeUndefined();
  stop.abort();
  await running;
});
