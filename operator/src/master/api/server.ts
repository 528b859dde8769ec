/** The Masters service (port 7444): what enterprises' agents, Vaults and sidecars ask. Mutual TLS says who calls. */
import type { ServerWritableStream } from '@grpc/grpc-js';
import {
  CertifiedLeafSchema,
  GetBlobReplySchema,
  GetBlobRequestSchema,
  GetLeafRequestSchema,
  leafToWire,
  Masters,
  PutBlobReplySchema,
  PutBlobRequestSchema,
  StatusReplySchema,
  StatusRequestSchema,
  SubmitReplySchema,
  SuccessionReplySchema,
  SuccessionRequestSchema,
  SubmitRequestSchema,
  WatchTasksRequestSchema,
  type CertifiedLeaf,
  type WatchTasksRequest,
} from '@scs/proto';
import { decodeCommand, encodeSuccession, hex, type Command, type Succession } from '@scs/protocol';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Log } from '../log/log.ts';
import { concerns, type TaskIndex } from '../task-index.ts';
import { proposeOrAccuse } from './accuse.ts';
import type { Blobs } from './blobs.ts';
import { inFlight } from './in-flight.ts';
import { denied, invalid, notFound, tooMuch } from './refusal.ts';
import { speaksFor } from './speaks-for.ts';
import { serverStream, unary, type CallContext } from './serve.ts';
import type { TaskStreams } from './task-streams.ts';

/** What enterprises may state; the rest masters propose from their own reading. */
const fromEnterprises: ReadonlySet<Command['type']> = new Set([
  'vault.register',
  'vault.answer',
  'enclave.ready',
  'slice.release',
  'vault.dividends',
  'aggregate.evidence',
  // Approved by two masters' durable keys: it matters not who brings it (G5).
  'budget.replenish',
  'catalogue.change',
  'version.activate',
  'master.replace',
]);

/** Of the commands that wait (log/pool.ts), a quarter each at most. */
const SHARE = { calls: 1_250, bytes: 16 * 1024 * 1024 } as const;

/** Decodes and bounds a submitted command. Throws Refusal. */
export const submitted = (bytes: Uint8Array): Command => {
  let command: Command;
  try {
    command = decodeCommand(bytes);
  } catch (error) {
    throw invalid(`not a command: ${error instanceof Error ? error.message.slice(0, 300) : 'malformed'}`);
  }
  if (!fromEnterprises.has(command.type)) throw denied(`${command.type} comes from the masters' own reading`);
  return command;
};

/** The enterprise that an identity names; undefined for a master. */
const enterpriseOf = (identity: string): string | undefined => /^scs:\/\/enterprise\/(0x[0-9a-f]{64})$/.exec(identity)?.[1];

const enterprise = (identity: string): string => {
  const address = enterpriseOf(identity);
  if (!address) throw denied('only enterprises store and read blobs here');
  return address;
};

export interface MastersApi {
  readonly log: Log;
  readonly tasks: TaskIndex;
  readonly blobs: Blobs;
  readonly streams: TaskStreams;
  readonly index: number;
  readonly genesis: string;
  /** Who the masters were and are since genesis. */
  readonly links: () => Succession;
}

export const mastersService = (
  { log, tasks, blobs, streams, index, genesis, links }: MastersApi,
  context: CallContext,
): UntypedServiceImplementation => {
  const mustSee = (identity: string, key: string): void => {
    const enterprise = enterpriseOf(identity);
    const uid = /^(?:task|envelope)\/(.+)$/.exec(key)?.[1];
    const record = uid === undefined ? undefined : tasks.record(uid);
    if (enterprise && record && !concerns(record, enterprise)) throw denied('you have no part in that task');
  };
  const room = inFlight(SHARE);
  return {
    submit: unary(SubmitRequestSchema, SubmitReplySchema, context, async ({ command: bytes }, identity) => {
      const command = submitted(bytes);
      const caller = enterpriseOf(identity);
      if (caller && !speaksFor(caller, command, (uid) => tasks.record(uid))) throw denied('that is for another enterprise to say');
      const putBack = room(identity, bytes.length);
      if (!putBack) throw tooMuch('too many commands of yours wait already');
      try {
        const decision = await proposeOrAccuse(log, command);
        return decision.ok ? { height: decision.height } : { code: decision.code, message: decision.message };
      } finally {
        putBack();
      }
    }),
    getLeaf: unary(GetLeafRequestSchema, CertifiedLeafSchema, context, ({ key }, identity) => {
      if (key.length > 256) throw invalid('no such key');
      mustSee(identity, key);
      const leaf = log.leaf(key);
      if (!leaf) throw notFound(key);
      return leafToWire(leaf);
    }),
    watchTasks: serverStream(
      WatchTasksRequestSchema,
      CertifiedLeafSchema,
      context,
      (call: ServerWritableStream<WatchTasksRequest, CertifiedLeaf>, identity) => streams.open(call, identity, enterpriseOf(identity)),
    ),
    putBlob: unary(PutBlobRequestSchema, PutBlobReplySchema, context, async ({ task, name, blob }, identity) => ({
      digest: await blobs.put(enterprise(identity), task, name, blob),
    })),
    getBlob: unary(GetBlobRequestSchema, GetBlobReplySchema, context, async ({ task, name }, identity) => {
      const blob = await blobs.get(enterprise(identity), task, name);
      if (!blob) throw notFound(name);
      return { blob };
    }),
    status: unary(StatusRequestSchema, StatusReplySchema, context, () => ({
      master: index,
      height: log.height(),
      stateRoot: hex(log.state().root()),
      leader: log.isPrimary(),
      genesis,
    })),
    succession: unary(SuccessionRequestSchema, SuccessionReplySchema, context, () => ({ links: encodeSuccession(links()) })),
  };
};

export { Masters as MastersService };
