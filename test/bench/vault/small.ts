/** Small Vaults, in a process of their own: durable reservations over 100 subjects; one query in 1,000 records. Prints JSON. */
import { mkdtemp, open as openFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPlan } from '@scs/executor';
import type { SnapshotInput } from '@scs/protocol';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Follower } from '@scs/vault/follow.ts';
import { importConsents, importRecords } from '@scs/vault/import/import.ts';
import { silent } from '@scs/vault/logger.ts';
import { openSlice } from '@scs/vault/open-slice.ts';
import { release } from '@scs/vault/release.ts';
import { aGroup, genesisFor, OTHERS, OURS } from '@scs/vault/testing/a-group.ts';
import { SliceEnclave } from '@scs/vault/testing/a-slice.ts';
import { openStore } from '@scs/vault/testing/a-store.ts';
import type { VaultStore } from '@scs/vault/store/vault-store.ts';
import { Bare, DOMAIN, writeData } from './data.ts';
import { took, type Took } from './measure.ts';

const tasks = Number(process.argv[2]);
const root = await mkdtemp(join(tmpdir(), 'scs-vault-bench-'));
const genesis = genesisFor(1000);
const storeOf = async (name: string, records: number, subjects: number): Promise<VaultStore> => {
  const folder = await mkdtemp(join(root, name));
  const files = await writeData(folder, records, subjects);
  const store = await openStore(folder, { vault: OURS, catalogue: genesis.catalogue, importFolder: folder, threads: 2 });
  await importRecords(store, DOMAIN, { path: files.records, format: 'parquet' }, () => undefined);
  await importConsents(store, { path: files.consents, format: 'parquet' }, Date.now(), () => undefined);
  return store;
};

const AT_ONCE = 32;
/** Each reserved for all 100 subjects: one after the other, on disk before the next begins; and so many at a time. */
const reservations = async (): Promise<{
  readonly vault: Took;
  readonly together: Took;
  readonly committed: Took;
  readonly bare: Took;
}> => {
  const store = await storeOf('reserve-', 1000, 100);
  const reserve = (i: number): Promise<unknown> =>
    store.reserve({ task: `t${i}`, submitter: 'x', nonce: `t${i}`, domain: DOMAIN, usage: 'marketing', ask: 1n, limit: 1_000_000n });
  await reserve(-1);
  const vault = await took(async () => {
    for (let i = 0; i < tasks; i++) await reserve(i);
  });
  let next = tasks;
  const lane = async (): Promise<void> => {
    while (next < 4 * tasks) await reserve(next++);
  };
  const together = await took(() => Promise.all(Array.from({ length: AT_ONCE }, lane)));
  const committed = await took(async () => {
    for (let i = 0; i < tasks; i++) await store.commit(`t${i}`, 1n, 1n);
  });
  await store.close();
  const bare = await Bare.open(join(root, 'bare.db'), 2);
  await bare.run(
    'CREATE TABLE reserved (task VARCHAR, subject BIGINT)',
    'CREATE TABLE ledger AS SELECT i AS subject, 0::BIGINT AS reserved FROM range(100) t(i)',
  );
  const plain = await took(async () => {
    for (let i = 0; i < tasks; i++)
      await bare.run(
        'BEGIN',
        `INSERT INTO reserved SELECT 't${i}', subject FROM ledger WHERE reserved + 1 <= 1000000`,
        `UPDATE ledger SET reserved = reserved + 1 WHERE subject IN (SELECT subject FROM reserved WHERE task = 't${i}')`,
        'COMMIT',
      );
  });
  bare.close();
  return { vault, together, committed, bare: plain };
};

/** From the certified record to the sealed output in the Vault's file; the masters' part is timed apart and taken out. */
const queries = async (count: number): Promise<{ readonly ms: readonly number[]; readonly steps: Readonly<Record<string, number>> }> => {
  const store = await storeOf('query-', 1000, 100);
  const { masters, context } = aGroup(store, genesis);
  const follower = new Follower({ ...context, masters, log: silent });
  let theirs = 0;
  const timed =
    <A extends readonly unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const begun = performance.now();
      try {
        return await work(...args);
      } finally {
        theirs += performance.now() - begun;
      }
    };
  masters.submit = timed(masters.submit.bind(masters));
  masters.getLeaf = timed(masters.getLeaf.bind(masters));
  const ms: number[] = [];
  const steps: Record<string, number> = {};
  const within = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const [begun, before] = [performance.now(), theirs];
    const value = await work();
    steps[name] = (steps[name] ?? 0) + performance.now() - begun - (theirs - before);
    return value;
  };
  for (let i = 0; i < count; i++) {
    const { world } = masters;
    const uid = world.submit(aTask().epsilon('0.01').named(`query-${i}`));
    const before = Object.values(steps).reduce((a, b) => a + b, 0);
    await within('answer: reserve', () => follower.settle(world.task(uid)));
    world.answer(uid, OTHERS);
    const enclave = await SliceEnclave.start(world.genesisDigest, `enclave-${i}`);
    world.block(enclave.ready(uid));
    const opened = await within('open: seal snapshot and eligible', async () => {
      const slice = await openSlice(uid, enclave.sealKey, context);
      if (!slice.ok) throw new Error(slice.refusal.code);
      return enclave.receive(slice.parts, world.task(uid).envelope!);
    });
    const input = opened.input as SnapshotInput;
    const files = { snapshot: join(root, 's.parquet'), eligible: join(root, 'e.parquet') };
    const cells = await within('run: the plan in DuckDB', async () => {
      await writeFile(files.snapshot, opened.files.subarray(0, input.snapshot.bytes));
      await writeFile(files.eligible, opened.files.subarray(input.snapshot.bytes));
      const done = await runPlan(input.plan, files, { memoryBytes: 256 * 1024 ** 2, threads: 2, timeoutMs: 60_000 });
      if (!done.ok) throw new Error(done.fault.code);
      return done.value;
    });
    const { output: _, ...asked } = await within('noise, evidence, seal', () => enclave.compute(uid, input, cells));
    await within('release: store, receipt, commit', async () => {
      const released = await release(asked, context);
      if (!released.ok) throw new Error(released.refusal.code);
    });
    ms.push(Object.values(steps).reduce((a, b) => a + b, 0) - before);
  }
  await store.close();
  return { ms, steps: Object.fromEntries(Object.entries(steps).map(([name, total]) => [name, total / count])) };
};

const fsyncMs = async (): Promise<number> => {
  const file = await openFile(join(root, 'fsync'), 'w');
  const { wallMs } = await took(async () => {
    for (let i = 0; i < 100; i++) {
      await file.write('x'.repeat(512));
      await file.sync();
    }
  });
  await file.close();
  return wallMs / 100;
};
try {
  const fsync = await fsyncMs();
  console.log(JSON.stringify({ tasks, reservations: await reservations(), queries: await queries(Math.min(tasks, 50)), fsyncMs: fsync }));
} finally {
  await rm(root, { recursive: true, force: true });
}
