import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { Enclave, grpcClient } from '@scs/proto';
import { serveExecutor } from './local-server.ts';
import { WorkDesk, type WorkItem } from './work-desk.ts';

const item: WorkItem = { task: 't', plan: Uint8Array.of(1), snapshot: '/s', eligible: '/e', memoryLimitBytes: 1n, timeoutMs: 1 };
const program = 'ab'.repeat(32);
const never = new AbortController().signal;

const pair = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-local-'));
  const socket = join(folder, 'enclave.sock');
  const desk = new WorkDesk(1);
  const server = await serveExecutor(desk, socket);
  const client = grpcClient(Enclave, `unix:${socket}`, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { desk, client, socket };
};

test('an executor that restarts finds its work again; one result counts; all are answered at the end', async () => {
  const { desk, client } = await pair();
  const result = desk.offer(item, never);
  expect(await client.getWork({})).toMatchObject({ task: 't', snapshot: '/s' });
  expect(await client.getWork({})).toMatchObject({ task: 't' });
  const first = client.finish({ cells: ['7', '0'], program, round: 1 });
  expect(await result).toMatchObject({ kind: 'cells', cells: [7n, 0n], program });
  const second = client.finish({ cells: ['8'], program, round: 1 });
  const late = client.getWork({}).catch((error: unknown) => error);
  desk.close();
  expect(await first).toMatchObject({ released: true });
  expect(await second).toMatchObject({ released: true });
  expect(await late).toMatchObject({ code: status.ALREADY_EXISTS });
});

test('C2: new work tells who finished to run again', async () => {
  const { desk, client } = await pair();
  const result = desk.offer(item, never);
  const finishing = client.finish({ cells: ['7'], program, round: 1 });
  await result;
  const again = desk.offer({ ...item, snapshot: '/fresh' }, never);
  expect(await finishing).toMatchObject({ released: false, code: 'RunAgain' });
  expect(await client.getWork({})).toMatchObject({ snapshot: '/fresh' });
  const failing = client.fail({ code: 'MemoryExceeded', message: 'too little', round: 2 });
  expect(await again).toEqual({ kind: 'failed', code: 'MemoryExceeded', message: 'too little' });
  desk.close({ released: false, code: 'MemoryExceeded', message: 'too little' });
  expect(await failing).toMatchObject({ released: false, code: 'MemoryExceeded' });
  await expect(client.getWork({})).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, details: 'MemoryExceeded' });
});

test('C2: work that is withdrawn ends at its doer, and a result of it is not taken for the next', async () => {
  const { desk, client } = await pair();
  const stale = new AbortController();
  const result = desk.offer(item, stale.signal);
  const { round } = await client.getWork({});
  const withdrawn = client.withdrawn({ round });
  stale.abort();
  expect(await result).toBeUndefined();
  await withdrawn;
  const again = desk.offer({ ...item, snapshot: '/fresh' }, never);
  expect(await client.finish({ cells: ['7'], program, round })).toMatchObject({ released: false, code: 'RunAgain' });
  const work = await client.getWork({});
  expect(work).toMatchObject({ snapshot: '/fresh', round: 2 });
  const finishing = client.finish({ cells: ['8'], program, round: work.round });
  expect(await again).toMatchObject({ cells: [8n] });
  desk.close();
  await finishing;
});

test('C2: what a sidecar before this one gave is not taken for the work of this one', async () => {
  const before = new WorkDesk(700);
  void before.offer({ ...item, snapshot: '/stale' }, never);
  const given = await before.getWork(never);
  if (!given || !('round' in given)) throw new Error('no work');
  const { desk, client } = await pair();
  const result = desk.offer(item, never);
  expect(await client.finish({ cells: ['7'], program, round: given.round })).toMatchObject({ released: false, code: 'RunAgain' });
  const { round } = await client.getWork({});
  const finishing = client.finish({ cells: ['8'], program, round });
  expect(await result).toMatchObject({ cells: [8n] });
  desk.close();
  await finishing;
});

test.each([
  ['a float', { cells: ['1.5'], program }],
  ['a negative zero', { cells: ['-0'], program }],
  ['leading zeros', { cells: ['01'], program }],
  ['beyond 128 bits', { cells: ['9'.repeat(40)], program }],
  ['too many cells', { cells: Array.from({ length: 4097 }, () => '1'), program }],
  ['no program', { cells: ['1'], program: '' }],
])('%s is no result', async (_what, request) => {
  const { desk, client } = await pair();
  const result = desk.offer(item, never);
  const finishing = client.finish({ ...request, round: 1 });
  expect(await result).toMatchObject({ kind: 'failed', code: 'ExecutorFaulty' });
  desk.close();
  await finishing;
});

test('B7: sums may be below zero', async () => {
  const { desk, client } = await pair();
  const result = desk.offer(item, never);
  const finishing = client.finish({ cells: ['7', '-1', `-${'9'.repeat(38)}`], program, round: 1 });
  expect(await result).toMatchObject({ kind: 'cells', cells: [7n, -1n, 1n - 10n ** 38n] });
  desk.close();
  await finishing;
});

test('work that is no longer wanted is withdrawn', async () => {
  const wanted = new AbortController();
  const result = new WorkDesk(1).offer(item, wanted.signal);
  wanted.abort();
  expect(await result).toBeUndefined();
  expect(await new WorkDesk(1).offer(item, wanted.signal)).toBeUndefined();
});

test('the socket is for its owner alone', async () => {
  const { socket } = await pair();
  expect(statSync(socket).mode & 0o777).toBe(0o600);
});
