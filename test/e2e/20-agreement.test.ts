/**
 * The masters' agreement on a real cluster during a steady stream of tasks (rules N1, N2, N6-N9, G4, X1, X4): they are killed, cut off,
 * stopped, robbed of a disk, one lies, all are upgraded. After each no task is lost, `verify` and `replay` hold; in the end every task
 * was paid once.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatSym, parseSym, type Task } from '@scs/protocol';
import { down } from '../cluster/cluster.ts';
import type { Image } from '../cluster/images.ts';
import { demoScript, ESCROW, setUp, type Scene } from '../demo/scenario.ts';
import { diagnose, installMasters, SYSTEM } from '../demo/system.ts';
import { liarImage, nextImage } from './agreement/images.ts';
import { indexes, Masters, type Row } from './agreement/masters.ts';
import { TaskStream } from './agreement/task-stream.ts';

const MINUTES = 60_000;
const IN_FLIGHT = 2;
const MORE_ESCROW = '400';
let scene: Scene;
let masters: Masters;
let stream: TaskStream;
let images: { readonly liar: Image; readonly next: Image };

beforeAll(async () => {
  scene = await setUp('e2e', undefined, demoScript);
  masters = new Masters(scene);
  images = { liar: await liarImage(), next: await nextImage() };
  await scene.cluster.load(Object.values(images));
  const { keys, symphony } = scene.group;
  await symphony('fund', MORE_ESCROW, '--keys', keys('submitter-roastery'), '--chain-url', `${scene.chainUrl}/v1`);
  stream = await TaskStream.start(scene, IN_FLIGHT);
  await stream.oneMore();
}, 10 * MINUTES);
afterAll(async () => {
  await stream?.stop();
  await masters?.heal();
  scene?.stop();
  await down({ purge: true });
}, 2 * MINUTES);

const asRoastery = (...args: readonly string[]) =>
  scene.group.trySymphony([...args, '--keys', scene.group.keys('submitter-roastery'), '--chain-url', `${scene.chainUrl}/v1`], {
    KUBECONFIG: scene.as.roastery,
  });
const counterOf = (rows: readonly Row[], index: number): string => rows[index]?.counter ?? '';

/** The group is whole again, a task from after the fault is through and proven, and each master's log gives the certified state. */
const whole = async (): Promise<readonly Row[]> => {
  const { rows } = await masters.allFine();
  const name = await stream.oneMore();
  const [verified, ...logs] = await Promise.all([
    asRoastery('verify', `task/${name}`, '-n', 'roastery'),
    ...indexes.map((i) => masters.replayed(i)),
  ]);
  expect([verified.code, verified.stderr]).toEqual([0, '']);
  expect(verified.stdout).toMatch(/^ok +chain /m);
  expect(verified.stdout).not.toMatch(/FAIL/);
  for (const log of logs) expect(log).toMatch(/^ok +\d+ blocks/m);
  return rows;
};
/** With what a person would look at, where something was waited for in vain. */
const told = (run: () => Promise<void>) => () =>
  run().catch(async (cause: unknown) => {
    const said = await Promise.all(indexes.map(async (i) => `\nlog of master ${i}\n${await masters.lastWords(i)}`));
    throw new Error(`${String(cause)}\n${(await masters.table()).text}\n${await diagnose(scene.kubeconfig)}${said.join('')}`, { cause });
  });
const LIMIT = 6 * MINUTES;

test(
  'N7: the primary is killed: another leads within its moment',
  told(async () => {
    const first = await masters.primary();
    await masters.signal(first, 'SIGKILL');
    await masters.otherPrimary(first);
    expect(await whole()).toHaveLength(3);
  }),
  LIMIT,
);

test(
  'two are killed and come back: alone the third decides nothing, and says so',
  told(async () => {
    const [here, ...away] = [await masters.primary(), ...indexes].filter((i, at, all) => all.indexOf(i) === at);
    await Promise.all(away.map((i) => masters.signal(i, 'SIGKILL')));
    await Promise.all(away.map((i) => masters.scale(i, 0)));
    const seen = await masters.untilShown('a master that hears nobody', (table) =>
      table.rows[here!]?.condition === 'PeersAway' && table.rows.filter((row) => !row.answers).length === 2 ? table : undefined,
    );
    expect(seen.text).toMatch(/the group is read-only/);
    await Promise.all(away.map((i) => masters.scale(i, 1)));
    expect(await whole()).toHaveLength(3);
  }),
  LIMIT,
);

test(
  'all three are killed at once: they go on where they were, with the counters that they had',
  told(async () => {
    const before = (await masters.allFine()).rows;
    await Promise.all(indexes.map((i) => masters.signal(i, 'SIGKILL')));
    const after = await whole();
    expect(indexes.map((i) => counterOf(after, i))).toEqual(indexes.map((i) => counterOf(before, i)));
  }),
  LIMIT,
);

test(
  'N7: the primary is cut off from the others: they go on, it says that it is alone; healed, it joins',
  told(async () => {
    const cut = await masters.primary();
    await masters.cutOff(cut);
    await masters.otherPrimary(cut);
    await masters.untilShown('PeersAway', ({ rows }) => (rows[cut]?.condition === 'PeersAway' ? true : undefined));
    await stream.oneMore();
    await masters.heal();
    expect(await whole()).toHaveLength(3);
  }),
  LIMIT,
);

test(
  'the primary stands still, longer than any patience: another leads; it wakes and follows',
  told(async () => {
    const still = await masters.primary();
    await masters.signal(still, 'SIGSTOP');
    const { view } = await masters.otherPrimary(still);
    await stream.oneMore();
    await masters.signal(still, 'SIGCONT');
    const rows = await whole();
    expect(rows[still]?.view).toBeGreaterThanOrEqual(view);
  }),
  LIMIT,
);

test(
  'N8, N9: the disk of one is lost: it is told everything, and its next counter is admitted',
  told(async () => {
    const before = (await masters.allFine()).rows;
    const lost = (await masters.primary()) === 1 ? 2 : 1;
    await masters.scale(lost, 0);
    await masters.gone(lost);
    await scene.kubectl('delete', 'pvc', '-n', SYSTEM, `data-scs-master-${lost}-0`, '--timeout=60s');
    await masters.scale(lost, 1);
    const after = await whole();
    expect(counterOf(after, lost)).not.toBe(counterOf(before, lost));
  }),
  LIMIT,
);

test(
  'N1, G4: one lies: it votes twice and leads with nonsense; the others go on, hold the proof, and bring it to the chain',
  told(async () => {
    const first = await masters.primary();
    const liar = (first + 1) % 3;
    await masters.setImage(liar, images.liar.ref);
    await masters.allFine();
    await masters.signal(first, 'SIGKILL'); // the liar's turn to lead
    const told = await masters.untilShown('the proof', (table) => (table.text.includes('MasterVotedTwice') ? table : undefined));
    expect(told.text).toMatch(/There is proof/);
    await stream.oneMore();
    const honest = indexes.filter((i) => i !== liar);
    await masters.untilShown('an honest primary', ({ rows }) => rows.find((row) => row.primary && row.index !== liar));
    await masters.untilSaid(honest, '"why":"it does not fit the rules here"');
    await masters.untilSaid(honest, `"what":"equivocation/0/${liar}","msg":"landed on the chain"`);
    await masters.setImage(liar, scene.images.master);
    expect(await whole()).toHaveLength(3);
  }),
  LIMIT,
);

test(
  'X4: an upgrade, one master after the other: the group never loses its two',
  told(async () => {
    // the scene before set an image past Helm
    const oneByOne = ['--set', 'masters.updateStrategy=OnDelete', '--force-conflicts'];
    await installMasters(scene.kubeconfig, scene.group, { ...scene.images, master: images.next.ref }, oneByOne);
    for (const index of indexes) {
      const { rows } = await masters.allFine();
      await scene.kubectl('delete', 'pod', '-n', SYSTEM, masters.podOf(index));
      await masters.untilShown('the others go on', (table) => {
        const others = table.rows.filter((row) => row.index !== index);
        expect(others.map((row) => row.condition)).toEqual(['fine', 'fine']);
        return others.some((row) => row.height > (rows[row.index]?.height ?? 0)) ? true : undefined;
      });
      await scene.kubectl('wait', '-n', SYSTEM, `pod/${masters.podOf(index)}`, '--for=condition=Ready', '--timeout=90s');
    }
    expect(await whole()).toHaveLength(3);
    const running = await scene.kubectl('get', 'pods', '-n', SYSTEM, '-l', 'app.kubernetes.io/name=scs-master', '-o', 'jsonpath={..image}');
    expect(running).not.toContain(scene.images.master);
  }),
  LIMIT,
);

test(
  'no task is lost, none is settled twice: the escrow has paid each charge once',
  told(async () => {
    await stream.finish();
    const { items } = JSON.parse(await scene.kubectl('get', 'tasks', '-n', 'roastery', '-o', 'json')) as { items: Task[] };
    expect(items.map((task) => task.metadata.name).toSorted()).toEqual(stream.submitted.toSorted());
    expect(items.filter((task) => task.status?.state !== 'completed')).toEqual([]);
    const charges = items.map((task) => task.status?.fee?.charged ?? '');
    expect(new Set(charges).size).toBe(1);
    const paid = charges.reduce((sum, charge) => sum + parseSym(charge), 0n);
    const { stdout } = await asRoastery('account', '-o', 'json');
    const left = parseSym(ESCROW) + parseSym(MORE_ESCROW) - paid;
    expect((JSON.parse(stdout) as { escrow: string }).escrow).toBe(formatSym(left));
  }),
  LIMIT,
);
