/** The lines of work for the chain (P2, P4, K6, K7, G4): crashes, lost answers and refusals at any point pay nobody twice and stop nothing else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideMessage, hex, sign, type CertifiedLeaf, type Equivocation, type Head } from '@scs/protocol';
import { economyIn } from '@scs/protocol/rules/economy.ts';
import { aGenesis, GENESIS_TIME } from '@scs/protocol/testing/genesis.ts';
import { actorKey, digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { fakeClock } from '../../kube/clock.ts';
import { silentLogger } from '../log/testing/silent-logger.ts';
import type { ChainFault } from './chain.ts';
import { ChainReader } from './chain-reader.ts';
import { SettlementEffects } from './effects.ts';
import { simulatedChain, type SimulatedChain } from './simulated-chain.ts';

const genesis = aGenesis();
const EPOCH = genesis.policy.epoch.lengthMs;
const committee = { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) };
const headOf = (world: World): Head => ({
  genesis: world.genesisDigest,
  generation: 0n,
  height: world.height,
  stateRoot: hex(world.state.root()),
  block: world.state.must('meta').block,
});
/** As the log gives it: certified by the last block. */
const leafOf = (world: World, key: string): CertifiedLeaf | undefined => {
  const value = world.state.map.get(key);
  const path = world.state.map.prove(key);
  if (!value || !path) return undefined;
  const head = headOf(world);
  const votes = [0, 2].map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) }));
  return { key, value: hex(value), siblings: path.siblings.map(hex), certificate: { head, votes } };
};
const chainOf = (world: World): SimulatedChain =>
  simulatedChain({ genesis: world.genesisDigest, committee, startMs: BigInt(GENESIS_TIME + 1_000) });

const FOLLOW_MS = 60_000;
/** A master's process for the chain; `faults` it reports. A new one knows nothing of the one before. */
const processOn = (
  world: World,
  chain: SimulatedChain,
  change: { primary?: boolean; offences?: () => readonly Equivocation[]; onNeglected?: (what: string) => void } = {},
) => {
  const clock = fakeClock(world.time);
  const faults: string[] = [];
  const effects = new SettlementEffects({
    chain,
    log: { state: () => world.state, leaf: (key) => leafOf(world, key), isPrimary: () => change.primary ?? true },
    ...(change.offences && { offences: change.offences }),
    ...(change.onNeglected && { onNeglected: change.onNeglected }),
    followMs: FOLLOW_MS,
    clock,
    logger: silentLogger,
    random: () => 0,
    onLanded: () => {},
    onFault: (code) => faults.push(code),
  });
  const turns = async (count: number): Promise<void> => {
    const over = new AbortController();
    const running = effects.run(over.signal);
    for (let i = 0; i < count; i += 1) {
      await clock.untilSleeping();
      clock.advance(30_000);
    }
    await clock.untilSleeping();
    over.abort();
    await running;
  };
  return { effects, turns, faults };
};
/** What a reader would tell the log of the chain, decided. */
const observe = async (world: World, chain: SimulatedChain): Promise<void> => {
  const clock = fakeClock(world.time);
  const reader = new ChainReader({
    chain,
    genesis: world.genesis,
    accounts: [actorKey('roastery').address],
    state: () => world.state,
    active: () => true,
    maxAgeMs: genesis.policy.settlement.maxEscrowAgeMs,
    clock,
    logger: silentLogger,
    onReading: () => {},
  });
  reader.request();
  const over = new AbortController();
  const running = reader.run(over.signal);
  await clock.untilSleeping();
  over.abort();
  await running;
  const found = reader.candidate();
  if (found) world.block(found);
};
/** A settled task, and an epoch closed over what was minted: a batch and node rewards wait for the chain. */
const busyWorld = async (chainFor = chainOf): Promise<{ world: World; chain: SimulatedChain }> => {
  const world = new World(genesis);
  const ready = World.ready(genesis);
  world.state = ready.state;
  world.time = ready.time;
  const chain = chainFor(world);
  const uid = world.submit(aTask().named('paid').signed(genesis));
  world.runTo(uid, 'awaiting_settlement');
  world.advance(EPOCH);
  chain.economyOutside.owe(9_000n);
  await processOn(world, chain).turns(1);
  // the world's own chain stands at version 101: this one comes to more, so that it may be read
  for (let i = 0; i < 120; i += 1) chain.deposit(actorKey('roastery').address, 1n);
  chain.advance(BigInt(world.time - GENESIS_TIME));
  await observe(world, chain);
  world.advance(EPOCH);
  return { world, chain };
};

/** G1: what each closed epoch leaves on the chain, and K7: what the second one promises. */
const leavesOfTwoEpochs = ['governance/1', 'governance/2', 'node-rewards/1'];

describe('the way of a leaf', () => {
  test('K7: minted once an epoch, read, promised at its end, landed, final', async () => {
    const { world, chain } = await busyWorld();
    expect(economyIn(world.state)).toMatchObject({ minted: 9_000n, next: { 'node-rewards': 2n } });
    expect(world.state.must('settlement', 'node-rewards-1').state).toBe('finalizing');
    await processOn(world, chain).turns(1);
    expect(chain.economyOutside.landed().toSorted()).toEqual(leavesOfTwoEpochs);
    chain.advance(BigInt(EPOCH));
    await observe(world, chain);
    expect(world.state.must('settlement', 'node-rewards-1').state).toBe('finalized');
    expect(world.state.must('settlement', '1').state).toBe('finalized');
  });

  test('N6: a master that does not lead leaves it to the primary; what that never lands it lands, and says so', async () => {
    const { world, chain } = await busyWorld();
    const before = chain.economyOutside.landed();
    const neglected: string[] = [];
    const { turns } = processOn(world, chain, { primary: false, onNeglected: (what) => neglected.push(what) });
    await turns(1);
    expect([chain.economyOutside.landed(), neglected]).toEqual([before, []]);
    await turns(3);
    expect(chain.economyOutside.landed()).toEqual(expect.arrayContaining([...leavesOfTwoEpochs, ...before]));
    expect(neglected).toContain('node-rewards/1');
  });

  test('N6: what cannot land is nobody’s neglect', async () => {
    const { world, chain } = await busyWorld();
    const neglected: string[] = [];
    const { turns } = processOn(world, chain, { primary: false, onNeglected: (what) => neglected.push(what) });
    chain.fail(Array.from({ length: 40 }, () => ({ code: 'ChainUnavailable', detail: 'gone' })));
    await turns(4);
    expect(neglected).toEqual([]);
  });

  test('P4: whatever fails before or after its effect, and whoever takes over, all lands once', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ when: fc.constantFrom('beforeEffect' as const, 'afterEffect' as const), crash: fc.boolean() }), {
          maxLength: 8,
        }),
        async (failures) => {
          const { world, chain } = await busyWorld();
          let process = processOn(world, chain);
          for (const { when, crash } of failures) {
            chain.fail([{ code: 'ChainUnavailable', detail: 'gone' }], when);
            await process.turns(1);
            if (crash) process = processOn(world, chain);
          }
          await processOn(world, chain).turns(3);
          expect(chain.economyOutside.landed().toSorted()).toEqual(leavesOfTwoEpochs);
          expect((await chain.observe([])).nextBatch).toBe(2n);
        },
      ),
      { numRuns: 20, seed: 11 },
    ));

  test('a line that is stuck holds up no other, and says whether somebody must act', async () => {
    const { world, chain } = await busyWorld();
    const { effects, turns, faults } = processOn(world, {
      ...chain,
      land: () => chain.land('node-rewards', 1n, { ...leafOf(world, 'node-rewards/1')!, siblings: [] }),
    });
    chain.economyOutside.owe(1n);
    await turns(2);
    expect(new Set(faults)).toEqual(new Set(['ContractRefused']));
    expect(effects.stuck()).toBe('ContractRefused');
    expect((await chain.observe([])).nextBatch).toBe(2n);
  });

  test.each([
    ['PotInsufficient', { code: 'ContractRefused', reason: 'PotInsufficient', detail: '' }, undefined],
    ['a chain that is away', { code: 'ChainUnavailable', detail: '' }, undefined],
    ['a transaction under way', { code: 'TransactionPending', txHash: '0x1' }, undefined],
    ['no gas', { code: 'GasInsufficient', account: '0x1' }, 'GasInsufficient'],
    ['another chain', { code: 'WrongChain', expected: 4, got: 1 }, 'WrongChain'],
  ] as readonly (readonly [string, ChainFault, string | undefined])[])('%s: waits, or calls for somebody', async (_, fault, stuck) => {
    const { world, chain } = await busyWorld();
    const { effects, turns } = processOn(world, chain);
    chain.fail([fault, fault, fault, fault, fault]);
    await turns(0);
    expect(effects.stuck()).toBe(stuck);
  });
});

test('G4: every master brings the proofs it holds, once each', async () => {
  const { world, chain } = await busyWorld();
  const vote = (name: string) => {
    const head = { ...headOf(world), block: digestOf(name) };
    return { head, signature: sign(masterKey(1).seed, decideMessage(head)) };
  };
  const proof: Equivocation = { master: 1, votes: [vote('one'), vote('two')] };
  const { turns } = processOn(world, chain, { primary: false, offences: () => [proof] });
  chain.fail([{ code: 'ChainUnavailable', detail: 'gone' }], 'afterEffect');
  await turns(3);
  expect(chain.economyOutside.reported()).toEqual([proof]);
});
