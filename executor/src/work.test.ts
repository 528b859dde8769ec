import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { credentials, Server, ServerCredentials, status, type handleUnaryCall } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import {
  Enclave,
  FinishReplySchema,
  grpcClient,
  serviceDefinition,
  WithdrawnReplySchema,
  WorkSchema,
  type FailRequest,
  type FinishReply,
  type FinishRequest,
  type GetWorkRequest,
  type WithdrawnReply,
  type WithdrawnRequest,
  type Work,
} from '@scs/proto';
import { encodePlan, type Plan } from '@scs/protocol';
import { done, failed } from './fault.ts';
import { workUntilReleased, type Ports } from './work.ts';

const plan: Plan = {
  domain: 'retail.purchase',
  usage: 'marketing',
  count: 'subjects',
  where: [],
  group: { cells: [{ label: 'all' }] },
  cellsPerSubject: 1,
  epsilon: 1n,
  microRho: 1n,
  minimumResultCardinality: 1,
  overlapBound: 1,
};
const work = (changes: { plan?: Uint8Array } = {}): Work =>
  create(WorkSchema, {
    task: 'uid-1',
    plan: encodePlan(plan),
    snapshot: '/s',
    eligible: '/e',
    memoryLimitBytes: 1_000_000n,
    timeoutMs: 1000,
    ...changes,
  });

interface Sidecar {
  readonly getWork: handleUnaryCall<GetWorkRequest, Work>;
  readonly replies: { released?: boolean; code?: string }[];
}
/** A sidecar on a Unix socket that answers Finish and Fail from a list; what came is recorded. */
const sidecar = async ({ getWork, replies }: Sidecar, withdraw: ReadonlyMap<number, Promise<void>> = new Map()) => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-work-'));
  const server = new Server();
  const came: (FinishRequest | FailRequest)[] = [];
  const answer: handleUnaryCall<FinishRequest | FailRequest, FinishReply> = (call, reply) => {
    came.push(call.request);
    const next = replies.shift();
    reply(null, create(FinishReplySchema, next ?? { released: true }));
  };
  // Work is wanted for ever, but for rounds that `withdraw` names.
  const withdrawn: handleUnaryCall<WithdrawnRequest, WithdrawnReply> = (call, reply) => {
    void withdraw.get(call.request.round)?.then(() => reply(null, create(WithdrawnReplySchema)));
  };
  server.addService(serviceDefinition(Enclave), { getWork, finish: answer, fail: answer, withdrawn });
  const address = `unix:${join(folder, 'enclave.sock')}`;
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  const client = grpcClient(Enclave, address, credentials.createInsecure());
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
    rmSync(folder, { recursive: true, force: true });
  });
  return { client, came };
};
const ports = (enclave: Ports['enclave'], changes: Partial<Ports> = {}): Ports => ({
  enclave,
  runPlan: () => Promise.resolve(done([7n, 0n])),
  runAudience: () => Promise.resolve(done(Uint8Array.of(5))),
  sleep: () => Promise.resolve(),
  stopped: () => false,
  log: { info: () => undefined, warn: () => undefined },
  program: 'ab'.repeat(32),
  threads: 1,
  ...changes,
});
const always =
  (w: Work): Sidecar['getWork'] =>
  (_call, reply) =>
    reply(null, w);

test('hands back counts as decimal strings, with its program', async () => {
  const { client, came } = await sidecar({ getWork: always(work()), replies: [{ released: true }] });
  expect(await workUntilReleased(ports(client))).toEqual({ code: 'Released' });
  expect(came).toMatchObject([{ cells: ['7', '0'], program: 'ab'.repeat(32) }]);
});

test('C2: runs again on a fresh snapshot when told', async () => {
  const { client, came } = await sidecar({ getWork: always(work()), replies: [{ code: 'RunAgain' }, { released: true }] });
  expect(await workUntilReleased(ports(client))).toEqual({ code: 'Released' });
  expect(came).toHaveLength(2);
});

test('C2: a query whose work is withdrawn ends at once, is handed to nobody, and the next work is done', async () => {
  const revoked = Promise.withResolvers<void>();
  let round = 0;
  const { client, came } = await sidecar(
    { getWork: (_call, reply) => reply(null, create(WorkSchema, { ...work(), round: ++round })), replies: [{ released: true }] },
    new Map([[1, revoked.promise]]),
  );
  const ends: string[] = [];
  const runPlan: Ports['runPlan'] = async (_plan, _files, _limits, timer) => {
    if (round > 1) return done([9n]);
    const interrupted = Promise.withResolvers<void>();
    const callOff = timer(600_000, interrupted.resolve);
    revoked.resolve();
    await interrupted.promise;
    callOff();
    ends.push('interrupted');
    return failed('ExecutorTimeout', 'it was ended');
  };
  expect(await workUntilReleased(ports(client, { runPlan }))).toEqual({ code: 'Released' });
  expect(ends).toEqual(['interrupted']);
  expect(came).toMatchObject([{ cells: ['9'], round: 2 }]);
});

test('B6: ends when the output was stored before', async () => {
  const { client } = await sidecar({
    getWork: (_call, reply) => reply({ code: status.ALREADY_EXISTS, details: 'stored' }),
    replies: [],
  });
  expect(await workUntilReleased(ports(client))).toEqual({ code: 'AlreadyReleased' });
});

test('a fault goes to the sidecar, and ends the executor with its code', async () => {
  const { client, came } = await sidecar({ getWork: always(work()), replies: [{ released: false, code: 'ColumnMissing' }] });
  const runPlan: Ports['runPlan'] = () => Promise.resolve(failed('ColumnMissing', 'no column x'));
  expect(await workUntilReleased(ports(client, { runPlan }))).toMatchObject({ code: 'Failed', fault: { code: 'ColumnMissing' } });
  expect(came).toMatchObject([{ code: 'ColumnMissing', message: 'no column x' }]);
});

test('X1: a plan in another spelling is refused', async () => {
  const spaced = new TextEncoder().encode(new TextDecoder().decode(encodePlan(plan)).replace('{', '{ '));
  const { client, came } = await sidecar({ getWork: always(work({ plan: spaced })), replies: [{ code: 'PlanUnfit' }] });
  expect(await workUntilReleased(ports(client))).toMatchObject({ code: 'Failed', fault: { code: 'PlanUnfit' } });
  expect(came).toMatchObject([{ code: 'PlanUnfit' }]);
});

test('a sidecar that is away is asked again', async () => {
  let asked = 0;
  const { client } = await sidecar({
    getWork: (_call, reply) => (asked++ < 3 ? reply({ code: status.UNAVAILABLE, details: 'starting' }) : reply(null, work())),
    replies: [],
  });
  let slept = 0;
  expect(await workUntilReleased(ports(client, { sleep: () => Promise.resolve(void slept++) }))).toEqual({ code: 'Released' });
  expect(slept).toBe(3);
});

test('ends when stopped', async () => {
  const { client } = await sidecar({ getWork: (_call, reply) => reply({ code: status.UNAVAILABLE }), replies: [] });
  let stopped = false;
  const sleep = () => Promise.resolve(void (stopped = true));
  expect(await workUntilReleased(ports(client, { sleep, stopped: () => stopped }))).toEqual({ code: 'Stopped' });
});
