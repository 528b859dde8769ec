/** The Enclave service on a Unix socket of the pod's scratch: only the executor beside can reach it. Sizes and streams are bounded. */
import { chmodSync, rmSync } from 'node:fs';
import { create } from '@bufbuild/protobuf';
import { Server, ServerCredentials, status, type handleUnaryCall, type ServerUnaryCall, type StatusObject } from '@grpc/grpc-js';
import {
  Enclave,
  FinishReplySchema,
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
import { MAX_OUTPUT_VALUES } from '@scs/protocol';
import type { WorkDesk, WorkResult } from './work-desk.ts';

/** Exact numbers: sums of a column may be below zero, and are never beyond 128 bits. */
const NUMBER = /^(0|-?[1-9]\d{0,38})$/;
const CODE = /^[A-Z][A-Za-z]{2,60}$/;

/** Aborted when the caller hangs up. */
const callerSignal = <A, B>(call: ServerUnaryCall<A, B>): AbortSignal => {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  return gone.signal;
};

const resultOf = ({ cells, audience, program }: FinishRequest): WorkResult => {
  const fits = cells.length <= MAX_OUTPUT_VALUES && cells.every((c) => NUMBER.test(c)) && /^[0-9a-f]{64}$/.test(program);
  return fits
    ? { kind: 'cells', cells: cells.map(BigInt), audience, program }
    : { kind: 'failed', code: 'ExecutorFaulty', message: 'The executor handed in what is no list of integers.' };
};
const failureOf = ({ code, message }: FailRequest): WorkResult => ({
  kind: 'failed',
  code: CODE.test(code) ? code : 'ExecutorFaulty',
  message: message.slice(0, 500),
});

/** A handler from an async function; a throw becomes INTERNAL, without its words. */
const handler =
  <Q, R>(answer: (request: Q, signal: AbortSignal) => Promise<R | Partial<StatusObject>>): handleUnaryCall<Q, R> =>
  (call, callback) => {
    const respond = async (): Promise<void> => {
      try {
        const reply = await answer(call.request, callerSignal(call));
        if (isStatus(reply)) callback(reply);
        else callback(null, reply as R);
      } catch {
        callback({ code: status.INTERNAL, details: 'the slice failed' });
      }
    };
    void respond();
  };
const isStatus = (reply: unknown): reply is Partial<StatusObject> => typeof reply === 'object' && reply !== null && 'details' in reply;

const getWork = (desk: WorkDesk): handleUnaryCall<GetWorkRequest, Work> =>
  handler<GetWorkRequest, Work>(async (_request, signal) => {
    const answer = await desk.getWork(signal);
    if (!answer) return { code: status.CANCELLED, details: '' };
    if ('task' in answer) return create(WorkSchema, answer);
    return { code: answer.released ? status.ALREADY_EXISTS : status.FAILED_PRECONDITION, details: answer.code };
  });
const finishing = <Q extends { readonly round: number }>(
  desk: WorkDesk,
  read: (request: Q) => WorkResult,
): handleUnaryCall<Q, FinishReply> =>
  handler<Q, FinishReply>(async (request, signal) =>
    create(FinishReplySchema, { ...(await desk.finish(read(request), request.round, signal)) }),
  );
const withdrawn = (desk: WorkDesk): handleUnaryCall<WithdrawnRequest, WithdrawnReply> =>
  handler<WithdrawnRequest, WithdrawnReply>(async ({ round }, signal) => {
    await desk.withdrawn(round, signal);
    return create(WithdrawnReplySchema);
  });

export interface LocalServer {
  close(): Promise<void>;
}
/** Listens at `socket` (absolute path); a socket that an earlier process left there is removed. Rejects if it can't. */
export const serveExecutor = async (desk: WorkDesk, socket: string): Promise<LocalServer> => {
  const server = new Server({
    // An audience has a bit for each eligible subject.
    'grpc.max_receive_message_length': 4 * 1024 * 1024 + 256 * 1024,
    'grpc.max_concurrent_streams': 8,
  });
  server.addService(serviceDefinition(Enclave), {
    getWork: getWork(desk),
    finish: finishing(desk, resultOf),
    fail: finishing(desk, failureOf),
    withdrawn: withdrawn(desk),
  });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
  chmodSync(socket, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.tryShutdown(() => resolve());
        setTimeout(() => (server.forceShutdown(), resolve()), 1_000).unref();
      }),
  };
};
