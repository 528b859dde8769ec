/** One large Vault, in a process of its own: `node large.ts <records>`; prints JSON. Ten records a subject. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPlan, type Files, type Timer } from '@scs/executor';
import type { Plan } from '@scs/protocol';
import { aTask } from '@scs/protocol/testing/task.ts';
import { importConsents, importRecords } from '@scs/vault/import/import.ts';
import { aGroup, genesisFor, OURS } from '@scs/vault/testing/a-group.ts';
import { openStore } from '@scs/vault/testing/a-store.ts';
import type { VaultStore } from '@scs/vault/store/vault-store.ts';
import { Bare, DOMAIN, MEMORY_MIB, writeData } from './data.ts';
import { bestOf, took, type Pair, type Took } from './measure.ts';

const records = Number(process.argv[2]);
const subjects = records / 10;
const THREADS = 2;
const LIMITS = { memoryBytes: MEMORY_MIB * 1024 ** 2, threads: THREADS, timeoutMs: 600_000 };
const folder = await mkdtemp(join(tmpdir(), 'scs-vault-bench-'));
const genesis = genesisFor(4);
const open = (): Promise<VaultStore> =>
  openStore(folder, {
    vault: OURS,
    catalogue: genesis.catalogue,
    importFolder: folder,
    threads: THREADS,
    memoryLimitBytes: MEMORY_MIB * 1024 ** 2,
  });
const ask = (task: string) => ({
  task,
  submitter: 'x',
  nonce: task,
  domain: DOMAIN,
  usage: 'marketing' as const,
  ask: 10n,
  limit: 1_000_000n,
});
const quiet = (): void => undefined;
const note = (line: string): void => void process.stderr.write(`${line}\n`);
const pairs: Pair[] = [];

/** From the order to stop, given while the query runs, to its end. */
const stopped = async (plan: Plan, slice: Files): Promise<Took> => {
  const [wall, processor] = [Promise.withResolvers<number>(), process.cpuUsage()];
  const timer: Timer = (_ms, fire) => {
    const soon = setTimeout(() => (wall.resolve(performance.now()), fire()), 30);
    return () => clearTimeout(soon);
  };
  const done = await runPlan(plan, slice, LIMITS, timer);
  if (done.ok) throw new Error('the query was over before it was told');
  const { user, system } = process.cpuUsage(processor);
  return { wallMs: performance.now() - (await wall.promise), processorMs: (user + system) / 1000 };
};

const measure = async (): Promise<void> => {
  const files = await writeData(folder, records, subjects);
  note('data written');
  let store = await open();
  const bare = await Bare.open(join(folder, 'bare.db'), THREADS);

  const parquet = (path: string): { readonly path: string; readonly format: 'parquet' } => ({ path, format: 'parquet' });
  const imported = await took(() => importRecords(store, DOMAIN, parquet(files.records), quiet));
  const copied = await took(() => bare.run(`CREATE TABLE records AS FROM '${files.records}'`, 'CHECKPOINT'));
  pairs.push({ what: 'import records', count: records, vault: imported, bare: copied });
  note('records imported');
  const said = await took(() => importConsents(store, parquet(files.consents), Date.now(), quiet));
  const heard = await took(() => bare.run(`CREATE TABLE consents AS FROM '${files.consents}'`, 'CHECKPOINT'));
  pairs.push({ what: 'import consents', count: subjects, vault: said, bare: heard });

  await bare.run(
    'CREATE TABLE reserved (task VARCHAR, subject VARCHAR)',
    'CREATE TABLE ledger AS SELECT DISTINCT subject, 0::BIGINT AS reserved, 0::BIGINT AS spent FROM records',
  );
  const bareReserve = (task: string): Promise<void> =>
    bare.run(
      'BEGIN',
      `INSERT INTO reserved SELECT '${task}', subject FROM ledger WHERE reserved + spent + 10 <= 1000000`,
      `UPDATE ledger SET reserved = reserved + 10 WHERE subject IN (SELECT subject FROM reserved WHERE task = '${task}')`,
      'COMMIT',
    );
  const cold = await took(() => store.reserve(ask('cold')));
  const snapshotBare = join(folder, 'bare.parquet');
  const coldBare = await took(() => bare.run(`COPY records TO '${snapshotBare}' (FORMAT parquet, COMPRESSION zstd)`));
  pairs.push({ what: 'first reservation, which cuts the snapshot; beside the snapshot’s COPY', count: 1, vault: cold, bare: coldBare });
  note('snapshot cut');
  const warm = await took(() => store.reserve(ask('warm')));
  pairs.push({ what: 'reserve all subjects, snapshot there', count: subjects, vault: warm, bare: await took(() => bareReserve('warm')) });
  const commit = await took(() => store.commit('warm', 10n, 1n));
  const bareCommit = await took(() =>
    bare.run(
      "UPDATE ledger SET reserved = reserved - 10, spent = spent + 10 WHERE subject IN (SELECT subject FROM reserved WHERE task = 'warm')",
    ),
  );
  pairs.push({ what: 'commit all subjects', count: subjects, vault: commit, bare: bareCommit });

  // The slice: what an executor has once the snapshot is open.
  const { masters } = aGroup(store, genesis);
  const plan = masters.world.task(masters.world.submit(aTask())).plan!;
  const slice = { snapshot: join(folder, 'slice.parquet'), eligible: join(store.folders.scratch, 'eligible.parquet') };
  const held = (await store.reservation('cold'))!;
  const snapshot = await store.snapshot(held.snapshot);
  const unsealed = await took(async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of store.readSnapshot(snapshot)) chunks.push(chunk);
    await writeFile(slice.snapshot, Buffer.concat(chunks));
    await store.writeEligible(held.id, slice.eligible);
  });
  const reread = await took(async () => writeFile(join(folder, 'plain.parquet'), await readFile(snapshotBare)));
  pairs.push({
    what: 'open a slice: unseal the snapshot, list the eligible; beside a copy of the file',
    count: 1,
    vault: unsealed,
    bare: reread,
  });
  const memory = await Bare.open(':memory:', THREADS);
  const range = `"purchase.day" >= DATE '2017-10-04' AND "purchase.day" < DATE '2018-01-02' AND "purchase.commodity" = 'COFFEE'`;
  const histogram = `SELECT CASE WHEN "household.age" IN ('19-24', '25-34', '35-44') THEN 0 WHEN "household.age" IN ('45-54', '55-64', '65+') THEN 1 ELSE 2 END AS cell,
      count(DISTINCT subject) FROM '${slice.snapshot}' SEMI JOIN '${slice.eligible}' USING (subject) WHERE ${range} GROUP BY cell`;
  const counted = await bestOf(3, async () => {
    const done = await runPlan(plan, slice, LIMITS);
    if (!done.ok) throw new Error(done.fault.code);
  });
  pairs.push({
    what: 'histogram over a warm slice, whole plan',
    count: 1,
    vault: counted,
    bare: await bestOf(3, () => memory.run(histogram)),
  });
  const eligible = await bestOf(3, () =>
    store.database.read((sql) => sql.rows('SELECT count(*) FROM reservation_subjects WHERE reservation = $id::BIGINT', { id: held.id })),
  );
  const bareEligible = await bestOf(3, () => bare.run("SELECT count(*) FROM reserved WHERE task = 'warm'"));
  pairs.push({ what: 'count the eligible of a task', count: 1, vault: eligible, bare: bareEligible });
  memory.close();

  const revoked = await bestOf(3, () => store.consent({ subject: 'household-1', usage: 'marketing', state: 'revoked', time: Date.now() }));
  const bareRevoked = await bestOf(3, () => bare.run("INSERT INTO consents VALUES ('household-1', 'marketing', 'revoked', now())"));
  pairs.push({ what: 'revoke, durably', count: 1, vault: revoked, bare: bareRevoked });
  const told = await took(async () => {
    const announced = store.revocations.next(AbortSignal.timeout(600_000));
    await store.consent({ subject: 'household-3', usage: 'marketing', state: 'revoked', time: Date.now() });
    await announced;
    if (!(await store.hasRevoked('cold'))) throw new Error('nobody was told');
  });
  pairs.push({ what: 'revoke, until the running slice is told', count: 1, vault: told });
  pairs.push({ what: 'a running query told to stop, until it has', count: 1, vault: await stopped(plan, slice) });
  const refreshed = await took(() => store.refresh('cold'));
  pairs.push({ what: 'the running task without them: a fresh snapshot', count: 1, vault: refreshed });
  const erased = await took(() => store.erase('household-2'));
  const bareErased = await took(() => bare.run("DELETE FROM records WHERE subject = 'household-2'"));
  pairs.push({ what: 'erase a subject', count: 1, vault: erased, bare: bareErased });

  await store.close();
  bare.close();
  const started = await took(async () => {
    store = await open();
    await store.unfinished();
  });
  const reopened = await took(async () => {
    const again = await Bare.open(join(folder, 'bare.db'), THREADS);
    await again.run('SELECT count(*) FROM ledger');
    again.close();
  });
  pairs.push({ what: 'cold start', count: 1, vault: started, bare: reopened });
  await store.close();
};
try {
  await measure();
  console.log(JSON.stringify({ pairs, peakBytes: process.resourceUsage().maxRSS * 1024 }));
} finally {
  await rm(folder, { recursive: true, force: true });
}
