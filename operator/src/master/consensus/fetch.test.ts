/** A liar among those who offer a snapshot (rule X1, MinBFT section 4.3); whole transfers are in test/simulation. */
import { encodeBlock, headOf, hex, State as Records, type Block, type Certificate } from '@scs/protocol';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { expect, test } from 'vitest';
import { rulesOf } from '../rules.ts';
import { DEFAULT_LIMITS, type Environment } from './environment.ts';
import { startState, type Input, type State } from './state.ts';
import { step } from './step.ts';

const group = digestOf('genesis');
const rules = rulesOf(aGenesis(), group);
const env: Environment = {
  index: 0,
  genesis: group,
  generation: 0n,
  generationAfter: () => 0n,
  formation: digestOf('formation'),
  limits: DEFAULT_LIMITS,
  rules,
  holds: { ui: () => true, vote: () => true, certificate: () => true },
  sign: () => ({ master: 0, signature: '00'.repeat(64) }),
  admissions: () => [],
  admitted: () => [],
};
const records = rules.initial();
const there = records.putRaw('seen/there', Uint8Array.of(1));
const roster = [0, 1, 2].map((master) => ({ master, key: digestOf(`counter ${master}`), from: 1n }));
const base = { height: 0n, block: group };
const start = (): State => {
  const head = { genesis: group, generation: 0n, height: 0n, stateRoot: hex(records.root()), block: group };
  const certified = { head, bytes: new Uint8Array(), time: 0, records };
  const digests = new Map([[0n, group]]);
  return startState(
    { certified, decided: [], digests, marks: new Map(), roster, snapshots: [certified], floor: 0n },
    base,
    digestOf('counter 0'),
  );
};
const offered = (from: number, height: bigint, state: Records): Input => {
  const block: Block = { height, generation: 0n, parent: group, time: 1, proposer: 1, commands: [] };
  const certificate: Certificate = { head: headOf(block, group, hex(state.root())), votes: [] };
  return { kind: 'message', from, wire: { kind: 'snapshot', bytes: encodeBlock(block), certificate } };
};

test('X1: who offers one snapshot after the other and gives no part of any keeps nobody from asking the other master', () => {
  let state = start();
  const asked = new Set<number>();
  const take = (input: Input): void => {
    const next = step(env, state, input);
    state = next.state;
    for (const output of next.outputs) if (output.kind === 'send' && output.wire.kind === 'want-part') asked.add(output.to);
  };
  take(offered(1, 900n, there));
  take(offered(2, 1_000n, there));
  expect([...asked]).toEqual([1]);
  const { statusEveryMs } = env.limits;
  for (let i = 1; i <= 100; i += 1) {
    take({ kind: 'tick', now: i * statusEveryMs });
    if (i % 4 === 0) take(offered(1, 900n + BigInt(i), there));
  }
  expect([...asked]).toEqual([1, 2]);
});
