import { beforeAll, describe, expect, test } from 'vitest';
import type { Block } from '../block.ts';
import { hex } from '../encoding/bytes.ts';
import { sign } from '../keys.ts';
import { recoveryMessage } from '../recovery.ts';
import { succeeded } from '../succession.ts';
import { testKey } from '../testing/keys.ts';
import { certified, logOf } from '../testing/log.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { applyBlock } from './apply.ts';
import { encodeLogged, replayNext, replayStart, type LoggedBlock } from './replay.ts';

describe('X1: the log gives the certified state again', () => {
  const world = World.ready();
  let log: LoggedBlock[];
  beforeAll(() => {
    world.runTo(world.submit(aTask()), 'completed');
    log = logOf(world);
  });
  const replay = (lines: readonly LoggedBlock[]) => {
    let at = replayStart(world.genesis);
    for (const line of lines) {
      const step = replayNext(at, encodeLogged(line), world);
      if (!step.ok) return { at, fault: step.fault };
      at = step.replayed;
    }
    return { at };
  };
  const withBlock = (i: number, change: Partial<Block>): LoggedBlock[] =>
    log.map((line, n) => (n === i ? { ...line, block: { ...line.block, ...change } } : line));

  test('whole: same root, byte for byte', () => {
    const { at, fault } = replay(log);
    expect(fault).toBeUndefined();
    expect(hex(at.state.root())).toBe(hex(world.state.root()));
    expect([...at.state.map.entries()]).toEqual([...world.state.map.entries()]);
    expect(at.blocks).toBe(BigInt(world.blocks.length));
  });
  test('a block left out, one altered, one with votes of one master, or another state: each is said', () => {
    const middle = Math.floor(log.length / 2);
    expect(replay(log.toSpliced(middle, 1)).fault?.code).toBe('BlockRefused');
    expect(replay(withBlock(middle, { time: log[middle]!.block.time + 1 })).fault?.code).toBe('CertificateInvalid');
    const { certificate } = log[middle]!;
    const once = { ...certificate, votes: [certificate.votes[0]!, certificate.votes[0]!] };
    expect(replay(log.with(middle, { ...log[middle]!, certificate: once })).fault?.code).toBe('CertificateInvalid');
    const elsewhere = certified(world, log[middle]!.block, '00'.repeat(32));
    expect(replay(log.with(middle, { ...log[middle]!, certificate: elsewhere })).fault?.code).toBe('StateRootMismatch');
  });
  test('N9: over a recovery, and nothing of the generation before above it', () => {
    const last = log.at(-1)!.certificate.head;
    const on = (generation: bigint): LoggedBlock => {
      const height = last.height + 1n;
      const block: Block = { height, generation, parent: last.block, time: world.state.must('meta').time, proposer: 0, commands: [] };
      const applied = applyBlock(world.state, block, world);
      if (!applied.ok) throw new Error(applied.fault.message);
      return { block, certificate: certified(world, block, hex(applied.state.root())) };
    };
    const recovered = (stateRoot: string) => {
      const keys = world.genesis.masters.map((m) => m.publicKey);
      const claim = { genesis: world.genesisDigest, round: 1n, generation: 1n, height: last.height, stateRoot, keys };
      const signatures = [0, 1].map((key) => ({ key, signature: sign(testKey(`recovery ${key}`).seed, recoveryMessage(claim)) }));
      return { genesisDigest: world.genesisDigest, genesis: succeeded(world.genesis, [{ claim, signatures, seats: [] }]) };
    };
    const follow = (line: LoggedBlock, group: Pick<World, 'genesis' | 'genesisDigest'>) => {
      const { at } = replay(log);
      const step = replayNext(at, encodeLogged(line), group);
      return step.ok ? step.replayed.blocks - at.blocks : step.fault.code;
    };
    expect([follow(on(0n), world), follow(on(1n), world)]).toEqual([1n, 'CertificateInvalid']);
    const now = recovered(last.stateRoot);
    expect([follow(on(1n), now), follow(on(0n), now)]).toEqual([1n, 'CertificateInvalid']);
    expect(follow(on(1n), recovered('ab'.repeat(32)))).toBe('CertificateInvalid');
  });
  test('a line that is no block is said, and never throws', () => {
    for (const text of ['', '{}', 'null', '{"block":{},"certificate":{}}', '{"block":1,"certificate":{"head":{"height":"#1"}}}'])
      expect(replayNext(replayStart(world.genesis), Buffer.from(text), world)).toMatchObject({
        ok: false,
        fault: { code: 'LogMalformed' },
      });
  });
});
