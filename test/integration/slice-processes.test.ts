/** A slice as it runs in its pod: the sidecar and the executor as processes, over a Unix socket on memory-backed scratch; and an aggregator. */
import { hash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { decodeTaskResult, envelopeAad, fromHex, noiseCells, noiseOutput, resultBlobName, type Digest, type Genesis } from '@scs/protocol';
import { aCatalogueOfNumbers, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { TestGroup } from '@scs/enclave-sidecar/testing/group.ts';
import { writeQuery } from '@scs/executor/testing/parquet.ts';
import { open, unpackSealed } from '@scs/proto';

const repository = resolve(import.meta.dirname, '..', '..');
const sidecar = join(repository, 'enclave-sidecar', 'src', 'main.ts');
const executor = join(repository, 'executor', 'src', 'main.ts');
const [alder, birch, cedar] = vaultNames as [string, string, string];

const temporary = (parent: string): string => {
  const folder = mkdtempSync(join(parent, 'scs-processes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};
interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<unknown>;
  output(): string;
}
const start = (program: string, environment: Record<string, string>): Started => {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, exit: once(child, 'exit').then(([code]: unknown[]) => code), output: () => output };
};

/** 90 eligible coffee drinkers under 45, 70 older, 40 unknown; 500 more who are not eligible; tea; other days. */
const realFiles = async () => {
  const folder = temporary(tmpdir());
  const ages = "CASE WHEN i < 90 THEN '19-24' WHEN i < 160 THEN '55-64' ELSE NULL END";
  const rows = `SELECT 7000000 + i AS subject, DATE '2017-10-04' + CAST(i % 80 AS INTEGER) AS "purchase.day", 'COFFEE' AS "purchase.commodity", ${ages} AS "household.age", CAST(CASE WHEN i < 90 THEN 1500 ELSE 300 END AS BIGINT) AS "purchase.cents" FROM range(700) t(i), range(3) u(j)`;
  const others = `SELECT 7000000 + i + 150 AS subject, DATE '2016-01-01' AS "purchase.day", 'COFFEE' AS "purchase.commodity", '19-24' AS "household.age", 1::BIGINT AS "purchase.cents" FROM range(50) t(i)`;
  const read = (path: string): Uint8Array => Uint8Array.from(readFileSync(path));
  return {
    snapshot: read(await writeQuery(join(folder, 'snapshot.parquet'), `${rows} UNION ALL ${others}`)),
    eligible: read(await writeQuery(join(folder, 'eligible.parquet'), 'SELECT 7000000 + i AS subject FROM range(200) t(i)')),
  };
};
/** The policy allows the program that is started here. */
const withSidecar = (genesis: Genesis): Genesis => {
  const measurements = [...genesis.policy.enclave.measurements, hash('sha384', readFileSync(sidecar), 'hex')];
  return { ...genesis, policy: { ...genesis.policy, enclave: { ...genesis.policy.enclave, measurements } } };
};

test('A2, B7, M5: sidecar and executor count, noise, release; an aggregator seals the sum; both leave nothing behind', async () => {
  await using group = await TestGroup.start(undefined, withSidecar);
  group.vaults.get(alder)!.files = await realFiles();
  const scratch = temporary('/dev/shm');
  const socket = join(scratch, 'enclave.sock');
  const environment = group.place(temporary(tmpdir()), 'alder', alder);
  const slice = start(sidecar, { ...environment, SCS_ROLE: 'slice', SCS_SUBJECT: alder, SCS_SCRATCH: scratch, SCS_SOCKET: socket });
  const counting = start(executor, { SCS_SOCKET: socket, SCS_SCRATCH: scratch, SCS_TERMINATION_LOG: environment['SCS_TERMINATION_LOG']! });
  const exact = { [alder]: [90n, 70n, 40n], [birch]: [200n, 30n, 0n], [cedar]: [300n, 20n, 2n] };
  for (const vault of [birch, cedar]) await group.slice(vault, { cells: () => exact[vault]! });
  const { address, name } = group.world.aggregator(group.uid);
  const aggregating = start(sidecar, { ...group.place(temporary(tmpdir()), name), SCS_ROLE: 'aggregator', SCS_SUBJECT: address });

  expect(await aggregating.exit, aggregating.output()).toBe(0);
  expect(await counting.exit, counting.output()).toBe(0);
  slice.child.kill('SIGTERM');
  expect(await slice.exit, slice.output()).toBe(0);

  const { sealedResult, envelope, plan, state } = group.world.task(group.uid);
  expect(state).toBe('awaiting_settlement');
  const blob = group.server.blobs.get(resultBlobName(sealedResult as Digest<'blob'>))!;
  const result = decodeTaskResult(await open(group.resultKey.privateKey, 'task-result', unpackSealed(blob), envelopeAad(envelope!)));
  const noised = vaultNames.map((vault) =>
    noiseCells(fromHex(group.vaults.get(vault)!.noiseSeed), exact[vault]!, plan!.cellsPerSubject, plan!.epsilon),
  );
  const sums = [0, 1].map((i) => noised.reduce((sum, cells) => sum + cells[i]!, 0n));
  expect(result.cells.slice(0, 2).map(({ count }) => count)).toEqual(sums);

  expect(readdirSync(scratch).filter((file) => file.startsWith('work-'))).toEqual([]);
  const logs = [slice, counting, aggregating].map((process) => process.output()).join('\n');
  expect(logs).not.toMatch(/\b7000\d{3}\b/);
  for (const secret of [group.vaults.get(alder)!.noiseSeed, group.vaults.get(alder)!.stored!.output.nonce])
    expect(logs).not.toContain(secret);
});

test('B7, T1: a mean, a median and an audience, from the executor to the Vault', async () => {
  const measures = [
    { kind: 'mean', attribute: 'spend' },
    { kind: 'quantile', attribute: 'spend', rank: '0.5' },
  ] as const;
  await using group = await TestGroup.start(
    (task) => task.asking({ measures: [...measures], audience: { expiresSeconds: 3600 } }),
    (genesis) => withSidecar({ ...genesis, catalogue: aCatalogueOfNumbers() }),
  );
  const vault = group.vaults.get(alder)!;
  vault.files = await realFiles();
  const scratch = temporary('/dev/shm');
  const socket = join(scratch, 'enclave.sock');
  const environment = group.place(temporary(tmpdir()), 'alder', alder);
  const slice = start(sidecar, { ...environment, SCS_ROLE: 'slice', SCS_SUBJECT: alder, SCS_SCRATCH: scratch, SCS_SOCKET: socket });
  const counting = start(executor, { SCS_SOCKET: socket, SCS_SCRATCH: scratch, SCS_TERMINATION_LOG: environment['SCS_TERMINATION_LOG']! });
  const released = () => group.world.task(group.uid).parts.some((part) => part.vault === alder && part.state === 'released');
  await Promise.race([group.until(released), slice.exit, counting.exit]);
  expect(released(), slice.output() + counting.output()).toBe(true);
  // Three rows each, of 1500 cents below 45 and of 300 from there on: bins of 0, 1000, 2500, 5000, 10000.
  const exact = [90n, 70n, 40n, 405_000n, 63_000n, 36_000n, 0n, 0n, 90n, 0n, 0n, 70n, 0n, 0n, 0n, 0n, 40n, 0n, 0n, 0n, 0n];
  const { plan } = group.world.task(group.uid);
  expect(vault.stored!.output.cells).toEqual(noiseOutput(fromHex(vault.noiseSeed), exact, plan!));
  expect(vault.audience).toBe('ff'.repeat(25));
});

test('A5: a sidecar of another program ends with AttestationInvalid in its termination log', async () => {
  await using group = await TestGroup.start();
  const environment = group.place(temporary(tmpdir()), 'alder', alder);
  const { address, name } = group.world.aggregator(group.uid);
  const aggregating = start(sidecar, {
    ...group.place(temporary(tmpdir()), name),
    SCS_ROLE: 'aggregator',
    SCS_SUBJECT: address,
    SCS_TERMINATION_LOG: environment['SCS_TERMINATION_LOG']!,
  });
  expect(await aggregating.exit, aggregating.output()).toBe(3);
  expect(readFileSync(environment['SCS_TERMINATION_LOG']!, 'utf8')).toMatch(/^AttestationInvalid: .*measurement/);
});

test('B3, B6: the sidecar killed after its release: a new one, at the same socket, sends what was stored', async () => {
  await using group = await TestGroup.start(undefined, withSidecar);
  const vault = group.vaults.get(alder)!;
  vault.files = await realFiles();
  const scratch = temporary('/dev/shm');
  const socket = join(scratch, 'enclave.sock');
  const environment = { ...group.place(temporary(tmpdir()), 'alder', alder), SCS_SCRATCH: scratch, SCS_SOCKET: socket };
  const asSlice = { ...environment, SCS_ROLE: 'slice', SCS_SUBJECT: alder };
  const counting = start(executor, environment);
  const first = start(sidecar, asSlice);
  await group.until(() => vault.stored !== undefined);
  first.child.kill('SIGKILL');
  await first.exit;
  const { output } = vault.stored!;
  const second = start(sidecar, asSlice);
  for (const other of [birch, cedar]) await group.slice(other, { cells: () => [100n, 100n, 100n] });
  await (
    await group.aggregator()
  ).ended;
  expect(await counting.exit, counting.output()).toBe(0);
  second.child.kill('SIGTERM');
  expect(await second.exit, second.output()).toBe(0);
  expect(vault.stored!.output).toEqual(output);
  expect(counting.output().match(/work received/g)).toHaveLength(1);
  expect(group.world.task(group.uid).state).toBe('awaiting_settlement');
});
