import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeBlock, headOf, type Block, type Certificate } from '@scs/protocol';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import type { StoredBlock } from './disk.ts';
import { logSocket, printLog, serveLog } from './log-socket.ts';
import { silentLogger } from './testing/silent-logger.ts';

const genesis = digestOf('genesis');
const stored = (height: bigint): StoredBlock => {
  const block: Block = { height, generation: 0n, parent: digestOf(`${height - 1n}`), time: Number(height), proposer: 0, commands: [] };
  const certificate: Certificate = { head: headOf(block, genesis, digestOf('state')), votes: [] };
  return { height, bytes: encodeBlock(block), certificate };
};
const all = Array.from({ length: 120 }, (_, i) => stored(BigInt(i + 1)));
const disk = {
  async *blocks(from: bigint) {
    yield* all.filter((b) => b.height >= from);
  },
  hole: () => undefined,
};

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'scs-log-'));
});
afterEach(() => rmSync(data, { recursive: true }));

const printed = async (from: bigint): Promise<readonly string[]> => {
  const out = new PassThrough();
  const [lines] = await Promise.all([text(out), printLog(data, from, out).finally(() => out.end())]);
  return lines.split('\n').filter((line) => line !== '');
};

test('X1: the whole log or from a height on, a line a block, to whoever may open the socket', async () => {
  const served = await serveLog(data, disk, silentLogger);
  try {
    expect(statSync(logSocket(data)).mode & 0o777).toBe(0o600);
    const lines = await printed(1n);
    expect(lines.map((line) => (JSON.parse(line) as { block: { height: string } }).block.height)).toEqual(all.map((b) => `#${b.height}`));
    expect(await printed(111n)).toEqual(lines.slice(110));
    expect(await printed(999n)).toEqual([]);
  } finally {
    await served.close();
  }
});
test('X1: a master that lacks blocks, having begun with a snapshot, says which', async () => {
  const later = { ...disk, hole: (from: bigint) => (from < 100n ? { first: 1n, last: 99n } : undefined) };
  const served = await serveLog(data, later, silentLogger);
  try {
    await expect(printed(1n)).rejects.toThrow('blocks 1 to 99 are not here');
    expect(await printed(100n)).toHaveLength(21);
  } finally {
    await served.close();
  }
});
test('without a master beside it, it says so; a socket left over is replaced', async () => {
  await expect(printed(1n)).rejects.toThrow('no master runs here');
  const first = await serveLog(data, disk, silentLogger);
  const second = await serveLog(data, disk, silentLogger);
  expect(await printed(120n)).toHaveLength(1);
  await Promise.all([first.close(), second.close()]);
});
