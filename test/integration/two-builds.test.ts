/** Two builds of the masters side by side (rule X4), each as its image's one file in a process of its own, on a real API server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Masters } from '@scs/proto/masters-client.ts';
import { decodeRecord, signStatement, type Command } from '@scs/protocol';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { Group, until } from './masters/group.ts';
import { buildMaster, MasterProcess } from './masters/master-process.ts';

const EPOCH_MS = 12_000;
const folder = mkdtempSync(join(tmpdir(), 'scs-builds-'));
let group: Group;
let masters: Masters;
let builds: { readonly old: string; readonly young: string };
const running: MasterProcess[] = [];

beforeAll(async () => {
  const [started, old, young] = await Promise.all([
    Group.start('two-builds', EPOCH_MS),
    buildMaster(join(folder, 'old.mjs'), 1),
    buildMaster(join(folder, 'young.mjs'), 2),
  ]);
  group = started;
  builds = { old, young };
  masters = group.mastersFor('alder');
}, 180_000);
afterAll(async () => {
  masters?.close();
  await Promise.all(running.map((m) => m.stop()));
  await group?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const run = async (index: number, build: keyof typeof builds): Promise<MasterProcess> => {
  await running[index]?.stop();
  return (running[index] = new MasterProcess(builds[build], group.environmentOf(index)));
};
const newestOf = async (master: number): Promise<number | undefined> => {
  const leaf = await masters.getLeaf(`version/${master}`);
  return leaf && decodeRecord('version', leaf.value).newest;
};
const announced = (newest: readonly number[]): Promise<true> =>
  until(
    `announcements of ${newest.join()}`,
    async () => ((await Promise.all([0, 1, 2].map(newestOf))).join() === newest.join() ? true : undefined),
    120_000,
  );
const meta = async () => {
  const leaf = await masters.getLeaf('meta/');
  if (!leaf) throw new Error('no meta');
  return decodeRecord('meta', leaf.value);
};
const activation = (): Command => {
  const statement = { version: 2 };
  const approve = (master: number) => ({
    master,
    signature: signStatement(masterKey(master).seed, 'version.activate', group.genesisDigest, statement),
  });
  return { type: 'version.activate', statement, approvals: [0, 2].map(approve) };
};
/** Epochs end, so blocks come by themselves. */
const goesOn = async (): Promise<true> => {
  const { epoch } = await meta();
  return until('the next epoch', async () => ((await meta()).epoch > epoch ? true : undefined), 90_000);
};

test('X4: one old build among three: they agree, and the version stays', async () => {
  await run(0, 'old');
  await Promise.all([run(1, 'young'), run(2, 'young')]);
  await announced([1, 2, 2]);
  expect(await masters.submit(activation())).toMatchObject({ ok: false, code: 'NotAgreed' });
  await goesOn();
  expect((await meta()).protocolVersion).toBe(1);
}, 300_000);

test('X4: with the new build everywhere the version is activated at the end of the epoch', async () => {
  await run(0, 'young');
  await announced([2, 2, 2]);
  expect(await masters.submit(activation())).toMatchObject({ ok: true });
  await until('version 2', async () => ((await meta()).protocolVersion === 2 ? true : undefined), 90_000);
}, 300_000);

test('X4: a build that lacks the active version stops and says so; the others go on; with the new build it does, too', async () => {
  const old = await run(1, 'old');
  await until('the condition', () => (old.hasSaid('ProtocolVersionUnknown') ? true : undefined), 90_000);
  await goesOn();
  await run(1, 'young');
  await run(2, 'old'); // so that the one that came back is needed
  await goesOn();
}, 300_000);
