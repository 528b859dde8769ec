/** X1: what a master prints of its log, from archive and live file, gives the certified state byte for byte, from the genesis on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { committeeOf, encodeBlock, hex, replayNext, replayStart } from '@scs/protocol';
import { logOf } from '@scs/protocol/testing/log.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { printLog, serveLog } from '../log-socket.ts';
import { openMasterFile } from '../sqlite-disk.ts';
import { silentLogger } from '../testing/silent-logger.ts';
import { Archive } from './archive.ts';
import { folderStore } from './archive-store.ts';

let data: string;
afterEach(() => rmSync(data, { recursive: true, force: true }));

const printed = async (): Promise<readonly string[]> => {
  const out = new PassThrough();
  const [lines] = await Promise.all([text(out), printLog(data, 1n, out).finally(() => out.end())]);
  return lines.split('\n').filter((line) => line !== '');
};

test('the log of a master whose old blocks are in the archive is replayed to the certified root; votes that wait are durable before', async () => {
  data = mkdtempSync(join(tmpdir(), 'scs-replay-'));
  const world = World.ready();
  world.runTo(world.submit(aTask()), 'completed');
  while (world.blocks.length < 270) world.observe();
  const log = logOf(world);
  const { disk, file } = openMasterFile({ file: join(data, 'log.db'), genesis: world.genesisDigest, master: 0 });
  disk.defer(() => {});
  for (const { block, certificate } of log) disk.append({ height: block.height, bytes: encodeBlock(block), certificate }, []);
  const store = folderStore(join(data, 'archive'));
  const archive = new Archive({ file, disk, store, genesis: world.genesisDigest, committee: committeeOf(world.genesis) });
  expect(await archive.move(260n)).toBe(true);
  expect(archive.live()).toBe(257n);
  const { head } = log.at(-1)!.certificate;
  disk.storeVote({ ...head, height: head.height + 1n, bytes: new Uint8Array() });
  const served = await serveLog(data, archive, silentLogger);
  try {
    const lines = await printed();
    expect([lines.length, disk.waiting().votes]).toEqual([log.length, 0]);
    let at = replayStart(world.genesis);
    for (const line of lines) {
      const step = replayNext(at, Buffer.from(line), world);
      if (!step.ok) throw new Error(step.fault.message);
      at = step.replayed;
    }
    expect(hex(at.state.root())).toBe(head.stateRoot);
  } finally {
    await served.close();
    disk.close();
  }
});
