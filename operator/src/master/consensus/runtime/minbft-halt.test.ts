/** A master whose disk has failed says nothing more until its process starts again (rule N2), whatever its counter does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { genesisDigest } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import type { Clock } from '../../../kube/clock.ts';
import { openMasterFile } from '../../log/sqlite-disk.ts';
import { agreementStore } from './agreement-store.ts';
import { realIo } from './journal/io.ts';
import { MinbftLog } from './minbft-log.ts';
import { LocalCounter } from './testing/local-counter.ts';
import { testRules } from './testing/test-rules.ts';

const folder = mkdtempSync(join(tmpdir(), 'scs-halt-'));
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Sleeps end in the next turn of the event loop. */
const hasty: Clock = {
  now: () => Date.UTC(2026, 0),
  sleep: () => turn(),
};

test('N2: no machine begins on what a failed disk could not store', async () => {
  const genesis = aGenesis({ time: hasty.now() - 1_000 });
  const digest = genesisDigest(genesis);
  let broken = false;
  const refuse = (): never => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  const io = { ...realIo, syncNow: (fd: number) => (broken ? refuse() : realIo.syncNow(fd)) };
  const { disk, file } = openMasterFile({ file: join(folder, 'log.db'), genesis: digest, master: 0 });
  const store = agreementStore(file, disk, io);
  const counter = new LocalCounter(digest, 0);
  let begun = 0;
  const log = new MinbftLog({
    genesis,
    genesisDigest: digest,
    index: 0,
    seed: masterKey(0).seed,
    rules: testRules(genesis, digest),
    disk,
    store,
    counter,
    links: new Map(),
    witness: { check: async () => ({ kind: 'fits' }) },
    candidates: { take: () => [], refused: () => {} },
    clock: hasty,
    random: () => 0,
    logger: { info: (_, message) => (begun += Number(message === 'the agreement begins')), warn: () => {}, error: () => {} },
  });
  log.start();
  while (begun === 0) await turn();
  store.setRoster([]);
  broken = true;
  counter.kill();
  while (!log.halted()) await turn();
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect([begun, log.halted()?.code]).toEqual([1, 'DiskFailed']);
  await log.stop();
  expect(() => disk.close()).not.toThrow();
});
