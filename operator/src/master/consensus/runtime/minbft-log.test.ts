/** The running log (rules N1, N2, N7-N9, G4): three masters with real disks and signatures; each test waits for what must come, never for time. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { certificateFault, committeeOf, hex, type Command } from '@scs/protocol';
import type { Decision } from '../../log/log.ts';
import { openMasterFile } from '../../log/sqlite-disk.ts';
import type { MinbftLog } from './minbft-log.ts';
import { TestGroup } from './testing/group.ts';

const folders: string[] = [];
const groups: TestGroup[] = [];
afterEach(async () => {
  await Promise.all(groups.splice(0).map((g) => g.stopAll()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const fileOf = (folder: string, index: number): string => join(folder, `${index}.db`);
const group = (): { group: TestGroup; folder: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-minbft-'));
  folders.push(folder);
  const log = (index: number) => (level: string) => (fields: object, message: string) =>
    process.env['SCS_TEST_LOG'] && console.log(Date.now() % 100_000, index, level, message, JSON.stringify(fields));
  const made = new TestGroup(
    [0, 1, 2].map((i) => fileOf(folder, i)),
    (index) => ({ info: log(index)('info'), warn: log(index)('warn'), error: log(index)('error') }),
  );
  groups.push(made);
  return { group: made, folder };
};
let names = 0;
const command = (): Command => {
  names += 1;
  return { type: 'task.cancel', uid: names.toString(16).padStart(8, '0') };
};
/** A client goes on until its command is decided. */
const decide = async (log: MinbftLog, given = command()): Promise<Decision> => {
  for (;;) {
    const decision = await log.propose(given);
    if (decision.ok || decision.code === 'AlreadyDecided') return decision;
  }
};
const reaches = async (log: MinbftLog, height: bigint): Promise<void> => {
  if (log.height() >= height) return;
  await new Promise<void>((resolve) => {
    const off = log.onDecided(({ block }) => {
      if (block.height < height) return;
      off();
      resolve();
    });
  });
};
/** The last to hear of a formation may come after the first decision in it. */
const formed = async (g: TestGroup, number: number): Promise<void> => {
  for (const i of [0, 1, 2]) while (g.log(i).agreement().formation < number) await decide(g.log((i + 1) % 3));
  expect([0, 1, 2].map((i) => g.log(i).agreement().formation)).toEqual([number, number, number]);
};
const sameState = async (g: TestGroup, indexes = [0, 1, 2]): Promise<void> => {
  const height = indexes.map((i) => g.log(i).height()).reduce((a, b) => (b > a ? b : a));
  await Promise.all(indexes.map((i) => reaches(g.log(i), height)));
  const committee = committeeOf(g.genesis);
  for (const i of indexes) {
    const certificate = g.log(i).certificate();
    expect(certificate && certificateFault(certificate, g.genesisDigest, committee)).toBeUndefined();
    expect(hex(g.log(i).state().root())).toBe(certificate?.head.stateRoot);
  }
  expect(new Set(indexes.map((i) => g.log(i).block(height)?.parent)).size).toBe(1);
};

describe('N1: three masters', () => {
  test('form a group and decide what any of them is given; blocks are certified as ever', async () => {
    const { group: g } = group();
    g.startAll();
    const decisions = await Promise.all([0, 1, 2].flatMap((i) => Array.from({ length: 20 }, () => decide(g.log(i)))));
    expect(decisions.every((d) => d.ok)).toBe(true);
    await sameState(g);
    expect([0, 1, 2].map((i) => g.log(i).condition())).toEqual([undefined, undefined, undefined]);
    expect(g.log(1).leaf('meta/')?.certificate.votes.length).toBeGreaterThanOrEqual(2);
  }, 60_000);

  test('N7: go on when the primary dies, and take it back', async () => {
    const { group: g } = group();
    g.startAll();
    await decide(g.log(1));
    const primary = g.log(1).primary()!;
    const [a, b] = [0, 1, 2].filter((i) => i !== primary) as [number, number];
    await g.stop(primary);
    await decide(g.log(a));
    await decide(g.log(b));
    expect(g.log(a).agreement().view).toBeGreaterThan(0);
    g.start(primary);
    await decide(g.log(primary));
    await sameState(g);
  }, 60_000);

  test('two die and come back; all three die and come back: nothing that was decided is lost', async () => {
    const { group: g } = group();
    g.startAll();
    for (let i = 0; i < 20; i += 1) await decide(g.log(0));
    await Promise.all([g.stop(1), g.stop(2)]);
    const waiting = decide(g.log(0));
    g.start(1);
    g.start(2);
    await waiting;
    const { height } = await decide(g.log(1)).then((d) => (d.ok ? d : { height: 0n }));
    await g.stopAll();
    g.startAll();
    await decide(g.log(2));
    expect(g.log(2).height()).toBeGreaterThan(height);
    await sameState(g);
  }, 60_000);

  test('X1: who lost its disk takes a snapshot, in parts, and the blocks after it; it takes part and starts again from what it has', async () => {
    const { group: g, folder } = group();
    g.limits = { checkpointEvery: 4, snapshotEvery: 16, partBytes: 2_000 };
    g.startAll();
    await formed(g, 1);
    await g.stop(2);
    for (const file of readdirSync(folder)) if (file.startsWith('2.db')) rmSync(join(folder, file), { recursive: true });
    g.counters[2]!.kill();
    while (g.log(0).height() < 68n) await Promise.all([decide(g.log(0)), decide(g.log(1))]);
    const { height } = await decide(g.log(1)).then((d) => (d.ok ? d : { height: 0n }));
    g.start(2);
    await reaches(g.log(2), height);
    // it skipped blocks, whatever came before the first offer
    expect(Array.from({ length: 48 }, (_, i) => g.log(2).block(BigInt(i + 1)))).toContain(undefined);
    await decide(g.log(2));
    await sameState(g);
    await g.stop(2);
    expect(g.start(2).height()).toBeGreaterThanOrEqual(height);
    await decide(g.log(2));
    await sameState(g);
    // what the archive has is not in the live log any more: masters start again from the rest, and go on
    const floor = g.log(0).floor();
    expect(floor).toBeGreaterThan(16n);
    await g.stopAll();
    for (const i of [0, 1]) {
      const { disk } = openMasterFile({ file: fileOf(folder, i), genesis: g.genesisDigest, master: i });
      disk.truncate(1n, floor);
      expect(disk.wholeFrom()).toBe(floor + 1n);
      disk.close();
    }
    g.startAll();
    await decide(g.log(2));
    expect(g.log(0).floor()).toBeGreaterThanOrEqual(floor);
    await sameState(g);
  }, 60_000);

  test('a partition of one holds up nobody, and heals', async () => {
    const { group: g } = group();
    g.startAll();
    await decide(g.log(0));
    const away = g.log(0).primary()!;
    const [a] = [0, 1, 2].filter((i) => i !== away) as [number];
    for (const i of [0, 1, 2]) g.cut.add(`${i}-${away}`).add(`${away}-${i}`);
    for (let i = 0; i < 5; i += 1) await decide(g.log(a));
    g.cut.clear();
    expect(await decide(g.log(away))).toMatchObject({ ok: true });
    await sameState(g);
  }, 60_000);

  test('N1: what two masters do not bear out is not decided, and the rest goes on', async () => {
    const { group: g } = group();
    const bad = command();
    g.testimony = (index, commands) => {
      const at = commands.findIndex((c) => c.type === 'task.cancel' && bad.type === 'task.cancel' && c.uid === bad.uid);
      return at < 0 || index === 0 ? { kind: 'fits' } : { kind: 'refused', code: 'Untrue', message: 'not so', command: at };
    };
    g.startAll();
    await decide(g.log(1));
    void g.log(0).propose(bad);
    await decide(g.log(1));
    await sameState(g);
    expect(bad.type === 'task.cancel' && g.log(1).state().map.get(`seen/${bad.uid}`)).toBeUndefined();
  }, 60_000);
});

describe('N2, N7-N9: counters', () => {
  test('N8: a counter that died is admitted again, the others going on meanwhile', async () => {
    const { group: g } = group();
    g.startAll();
    await decide(g.log(0));
    const old = g.counters[2]!.key();
    g.counters[2]!.kill();
    await decide(g.log(0));
    const admitted = g.counters[2]!.key();
    expect(admitted).not.toBe(old);
    while (g.log(0).state().get('counter', '2')?.key !== admitted) await decide(g.log(0));
    const at = g.log(0).state().must('counter', '2').height;
    while (g.log(0).height() < at + 10n) await decide(g.log(2));
    await g.stop(0);
    await decide(g.log(2)); // needs the new one's voice
    await sameState(g, [1, 2]);
  }, 60_000);

  test('an answer of the counter that got lost mutes nobody', async () => {
    const { group: g } = group();
    g.startAll();
    await decide(g.log(0));
    for (const counter of g.counters) counter.losing = 5;
    for (let i = 0; i < 5; i += 1) expect(await decide(g.log(1))).toMatchObject({ ok: true });
    await sameState(g);
  }, 60_000);

  test('N9: all three counters die: the masters form anew by themselves, and keep what was decided', async () => {
    const { group: g } = group();
    g.startAll();
    for (let i = 0; i < 10; i += 1) await decide(g.log(i % 3));
    const before = g.log(0).height();
    for (const counter of g.counters) counter.kill();
    await decide(g.log(1));
    await formed(g, 2);
    expect(g.log(1).height()).toBeGreaterThan(before);
    await sameState(g);
  }, 60_000);

  test('N7, N9: a second counter dies before the first one’s successor counts: they form anew', async () => {
    const { group: g } = group();
    g.startAll();
    await decide(g.log(0));
    for (let i = 0; i < 2; i += 1) {
      const primary = g.log(0).primary() ?? 0;
      g.counters[primary]!.kill();
      expect(await decide(g.log((primary + 1) % 3))).toMatchObject({ ok: true });
    }
    await sameState(g);
  }, 60_000);

  test('N9: masters and counters all lose power', async () => {
    const { group: g } = group();
    g.startAll();
    for (let i = 0; i < 5; i += 1) await decide(g.log(i % 3));
    await g.stopAll();
    for (const counter of g.counters) counter.kill();
    g.startAll();
    expect(await decide(g.log(0))).toMatchObject({ ok: true });
    await formed(g, 2);
    await sameState(g);
  }, 60_000);

  test('a master that lost disk and counter is told the formation, fetches the log and is admitted', async () => {
    const { group: g, folder } = group();
    g.startAll();
    for (let i = 0; i < 40; i += 1) await decide(g.log(0));
    await g.stop(2);
    for (const suffix of ['', '-wal', '-shm', '.agreement']) rmSync(`${fileOf(folder, 2)}${suffix}`, { force: true, recursive: true });
    g.counters[2]!.kill();
    await decide(g.log(0));
    g.start(2);
    await reaches(g.log(2), g.log(0).height());
    while (g.log(0).state().get('counter', '2')?.key !== g.counters[2]!.key()) await decide(g.log(0));
    expect(await decide(g.log(2))).toMatchObject({ ok: true });
    await sameState(g);
  }, 60_000);
});

describe('N9: recovery by offline keys', () => {
  const headOf = (log: MinbftLog): { readonly height: bigint; readonly stateRoot: string } => {
    const { height, stateRoot } = log.certificate()!.head;
    return { height, stateRoot };
  };
  /** All counters died, and the disk of master 2 is gone. */
  const lose = async (g: TestGroup, folder: string): Promise<{ readonly height: bigint; readonly stateRoot: string }> => {
    g.startAll();
    await decide(g.log(1));
    await sameState(g);
    const head = headOf(g.log(0));
    await g.stopAll();
    for (const file of readdirSync(folder)) if (file.startsWith('2.db')) rmSync(join(folder, file), { recursive: true });
    for (const counter of g.counters) counter.kill();
    return head;
  };
  const generationsOf = (log: MinbftLog): readonly bigint[] => [
    ...new Set(Array.from({ length: Number(log.height()) }, (_, i) => log.block(BigInt(i + 1))!.generation)),
  ];

  test('DiskBlank: the three go on as the next generation, from what was decided, and form anew as ever', async () => {
    const { group: g, folder } = group();
    const head = await lose(g, folder);
    g.startAll();
    while (g.log(0).condition()?.code !== 'DiskBlank') await new Promise((resolve) => setImmediate(resolve));
    await g.stopAll();
    g.recover(head);
    g.startAll();
    await decide(g.log(2));
    await sameState(g);
    expect(g.log(0).certificate()?.head.generation).toBe(1n);
    expect(generationsOf(g.log(2))).toEqual([0n, 1n]);
    await g.stopAll();
    for (const counter of g.counters) counter.kill();
    g.startAll();
    await decide(g.log(1));
    await sameState(g);
  }, 60_000);

  test('a master with another durable key takes the seat, with an empty disk', async () => {
    const { group: g, folder } = group();
    const head = await lose(g, folder);
    g.recover(head, 2);
    g.startAll();
    await decide(g.log(2));
    await sameState(g);
    expect(g.log(2).height()).toBeGreaterThan(head.height);
  }, 60_000);

  test('who holds a certified block above the height of a recovery does not go along', async () => {
    const { group: g, folder } = group();
    const { height, stateRoot } = await lose(g, folder);
    g.recover({ height: height - 1n, stateRoot });
    expect(() => g.start(0)).toThrow('RecoveryBehind');
  }, 60_000);
});
