import { beforeAll, describe, expect, test } from 'vitest';
import type { Block } from '../block.ts';
import { hex } from '../encoding/bytes.ts';
import { certified, logOf } from '../testing/log.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
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
  test('a line that is no block is said, and never throws', () => {
    for (const text of ['', '{}', 'null', '{"block":{},"certificate":{}}', '{"block":1,"certificate":{"head":{"height":"#1"}}}'])
      expect(replayNext(replayStart(world.genesis), Buffer.from(text), world)).toMatchObject({
        ok: false,
        fault: { code: 'LogMalformed' },
      });
  });
});
