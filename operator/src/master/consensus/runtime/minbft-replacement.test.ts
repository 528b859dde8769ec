/** G5, P5, N8: a master's key is replaced by governance while the group runs: it ends with the epoch, and goes on with the new one. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { certificateFault, committeeOf, hex, type Command } from '@scs/protocol';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { replacementCommand } from '@scs/protocol/testing/replacement.ts';
import { linksOf } from '../../links.ts';
import { rulesOf } from '../../rules.ts';
import type { MinbftLog } from './minbft-log.ts';
import { TestGroup } from './testing/group.ts';

const folders: string[] = [];
const groups: TestGroup[] = [];
afterEach(async () => {
  await Promise.all(groups.splice(0).map((g) => g.stopAll()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const group = (): { g: TestGroup; wipe: (index: number) => void } => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-replacement-'));
  folders.push(folder);
  const g = new TestGroup([0, 1, 2].map((i) => join(folder, `${i}.db`)));
  g.rules = rulesOf;
  groups.push(g);
  const wipe = (index: number): void => {
    for (const file of readdirSync(folder)) if (file.startsWith(`${index}.db`)) rmSync(join(folder, file), { recursive: true });
  };
  return { g, wipe };
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const says = async (log: MinbftLog, code: string): Promise<void> => {
  while (log.condition()?.code !== code) await turn();
};
const decided = async (log: MinbftLog, command: Command): Promise<void> => {
  for (;;) {
    const decision = await log.propose(command);
    if (decision.ok || decision.code === 'AlreadyDecided') return;
    if (!['TimedOut', 'NotBorneOut', 'Unavailable', 'Busy'].includes(decision.code)) throw new Error(decision.code);
  }
};
const replace = (g: TestGroup, master: number, key: number): Command => {
  const by = [0, 2].map((i) => [i, g.keys[i]!] as const);
  const generation = committeeOf(g.genesis).generation + 1n;
  return replacementCommand(g.genesisDigest, { master, key, by, terms: { generation } });
};
/** Everything that is running hears of the epoch's end. */
const endEpoch = (g: TestGroup): void => {
  g.ahead += g.genesis.policy.epoch.lengthMs;
};
const agree = async (g: TestGroup): Promise<void> => {
  const height = g.log(0).height();
  for (const i of [1, 2]) while (g.log(i).height() < height) await turn();
  const committee = committeeOf(g.genesis);
  for (const i of [0, 1, 2]) {
    const certificate = g.log(i).certificate()!;
    expect(certificateFault(certificate, g.genesisDigest, committee)).toBeUndefined();
    expect(hex(g.log(i).state().root())).toBe(certificate.head.stateRoot);
  }
};

test('the others wait for the file that its last block makes; with it, a new machine joins on an empty disk and all goes on', async () => {
  const { g, wipe } = group();
  g.startAll();
  await decided(g.log(0), replace(g, 1, 7));
  endEpoch(g);
  await Promise.all([says(g.log(0), 'GenerationOver'), says(g.log(1), 'MasterReplaced'), says(g.log(2), 'GenerationOver')]);
  const last = g.log(0).height();
  expect([1, 2].map((i) => g.log(i).height())).toEqual([last, last]);
  const links = linksOf(g.genesis, g.log(2));
  expect(linksOf(g.genesis, g.log(0)).map((l) => 'handover' in l && l.handover)).toEqual(links.map((l) => 'handover' in l && l.handover));
  await g.stopAll();

  g.handOver(links, 1, 7);
  expect(g.genesis.masters[1]?.publicKey).toBe(masterKey(7).publicKey);
  wipe(1);
  g.counters[1]!.kill();
  g.startAll();
  await decided(g.log(1), replace(g, 2, 8)); // it is taken by the new committee, and approved by its keys
  await agree(g);
  expect(g.log(1).height()).toBeGreaterThan(last);
  expect([last, last + 1n].map((h) => g.log(1).block(h)!.generation)).toEqual([0n, 1n]);
  expect(linksOf(g.genesis, g.log(1))).toEqual(links);
}, 60_000);

test('one that was away at the end comes along: one copy of the last blocks is enough for the other and for the new machine', async () => {
  const { g, wipe } = group();
  g.startAll();
  await decided(g.log(2), replace(g, 0, 7));
  await g.stop(2);
  endEpoch(g);
  await Promise.all([says(g.log(0), 'MasterReplaced'), says(g.log(1), 'GenerationOver')]);
  const links = linksOf(g.genesis, g.log(1));
  await g.stopAll();
  g.handOver(links, 0, 7);
  wipe(0);
  g.counters[0]!.kill();
  g.startAll();
  await decided(g.log(2), replace(g, 1, 9));
  await agree(g);
  expect([0, 1, 2].map((i) => g.log(i).certificate()?.head.generation)).toEqual([1n, 1n, 1n]);
}, 60_000);

test('the file may come to one after the other: nobody is confused by peers of the other generation', async () => {
  const { g, wipe } = group();
  g.startAll();
  await decided(g.log(0), replace(g, 1, 7));
  endEpoch(g);
  await Promise.all([0, 1, 2].map((i) => says(g.log(i), i === 1 ? 'MasterReplaced' : 'GenerationOver')));
  const [last, links] = [g.log(0).height(), linksOf(g.genesis, g.log(0))];
  g.handOver(links, 1, 7);
  for (const i of [2, 1, 0]) {
    await g.stop(i);
    if (i === 1) {
      wipe(1);
      g.counters[1]!.kill();
    }
    g.start(i);
    for (let n = 0; n < 50; n += 1) await turn(); // both kinds talk to each other for a while
  }
  await decided(g.log(2), replace(g, 0, 8));
  await agree(g);
  expect(g.log(1).height()).toBeGreaterThan(last);
}, 60_000);

test('with the old file a master stays where its generation ended, and offers nothing', async () => {
  const { g } = group();
  g.startAll();
  await decided(g.log(0), replace(g, 1, 7));
  endEpoch(g);
  await Promise.all([0, 1, 2].map((i) => says(g.log(i), i === 1 ? 'MasterReplaced' : 'GenerationOver')));
  const last = g.log(0).height();
  await g.stopAll();
  g.startAll();
  expect([0, 1, 2].map((i) => g.log(i).condition()?.code)).toEqual(['GenerationOver', 'MasterReplaced', 'GenerationOver']);
  expect(await g.log(0).propose(replace(g, 2, 8))).toMatchObject({ ok: false, code: 'Unavailable' });
  expect([0, 1, 2].map((i) => g.log(i).height())).toEqual([last, last, last]);
}, 60_000);
