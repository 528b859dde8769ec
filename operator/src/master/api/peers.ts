/** The Peers service (port 7443) and its client: masters among themselves, known by their certificates. */
import type { ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import {
  AgreementMessageSchema,
  certificateFromWire,
  certificateToWire,
  DecideReplySchema,
  DecideRequestSchema,
  GetBlobReplySchema,
  GetBlobRequestSchema,
  GetVoteReplySchema,
  GetVoteRequestSchema,
  grpcClient,
  Peers as PeersService,
  ProposeReplySchema,
  ProposeRequestSchema,
  PutBlobReplySchema,
  PutBlobRequestSchema,
  SubmitReplySchema,
  SubmitRequestSchema,
  SyncRequestSchema,
  TellReplySchema,
  type DecideRequest,
  type SyncRequest,
  type Vote as WireVote,
} from '@scs/proto';
import { clientCredentials, masterIdentity, type Authorities, type TlsFiles } from '@scs/proto/tls.ts';
import { status } from '@grpc/grpc-js';
import { encodeCommand, fromHex, hex, type Vote } from '@scs/protocol';
import type { CertifiedBlock, Peer, PeerHandlers } from '../log/peers.ts';
import { openChannel, type PeerStreams } from '../consensus/runtime/grpc-link.ts';
import type { Channel } from '../consensus/runtime/peer-link.ts';
import type { BlobPeer, Blobs } from './blobs.ts';
import { denied, invalid, notFound, notNow } from './refusal.ts';
import { submitted } from './server.ts';
import { clientStream, serverStream, unary, type CallContext } from './serve.ts';

const voteToWire = ({ master, signature }: Vote) => ({ master, signature: fromHex(signature) });
const voteFromWire = (vote: WireVote | undefined): Vote | undefined => vote && { master: vote.master, signature: hex(vote.signature) };
const blockFromWire = ({ block, certificate }: DecideRequest): CertifiedBlock => {
  const decoded = certificate && certificateFromWire(certificate);
  if (!decoded) throw invalid('the certificate is missing');
  return { bytes: block, certificate: decoded };
};
const blockToWire = ({ bytes, certificate }: CertifiedBlock) => ({ block: bytes, certificate: certificateToWire(certificate) });

/** Milliseconds that a call may take: an examination may look at the API server and the chain. */
const TIMEOUT = { propose: 5_000, decide: 5_000, getVote: 1_000, forward: 10_000, blob: 5_000 } as const;

const indexOf = (identity: string): number => {
  const index = /^scs:\/\/master\/([0-2])$/.exec(identity)?.[1];
  if (index === undefined) throw denied('only masters call this');
  return Number(index);
};

/** What a master answers its peers: of the two ways to agree, the one that this group takes. */
export interface PeersApi {
  readonly lease?: PeerHandlers;
  readonly agreement?: PeerStreams;
  readonly blobs: Blobs;
}
const other = (): Error => notNow('this group agrees in another way; check `consensus` of all three masters');

export const peersService = ({ lease, agreement, blobs }: PeersApi, context: CallContext): UntypedServiceImplementation => ({
  ...(lease && leaseMethods(lease, context)),
  tell: clientStream(AgreementMessageSchema, TellReplySchema, context, async (call, identity) => {
    if (!agreement) throw other();
    const from = indexOf(identity);
    const end = await agreement.take(from, call);
    if (end === 'malformed') throw invalid('that is no message of the agreement');
    return {};
  }),
  storeBlob: unary(PutBlobRequestSchema, PutBlobReplySchema, context, ({ task, name, blob }, identity) => {
    indexOf(identity);
    return { digest: blobs.take(task, name, blob) };
  }),
  fetchBlob: unary(GetBlobRequestSchema, GetBlobReplySchema, context, ({ task, name }, identity) => {
    indexOf(identity);
    const blob = blobs.local(task, name);
    if (!blob) throw notFound(name);
    return { blob };
  }),
});

const leaseMethods = (handlers: PeerHandlers, context: CallContext): UntypedServiceImplementation => ({
  propose: unary(ProposeRequestSchema, ProposeReplySchema, context, async ({ block, stateRoot, vote, again }, identity) => {
    const mark = voteFromWire(vote);
    const answer = await handlers.propose(indexOf(identity), {
      bytes: block,
      stateRoot: hex(stateRoot),
      again,
      ...(mark && { vote: mark }),
    });
    const { code, message, height, command } = answer;
    return {
      code,
      message,
      height,
      command: command === undefined ? 0 : command + 1,
      ...(answer.vote && { vote: voteToWire(answer.vote) }),
    };
  }),
  decide: unary(DecideRequestSchema, DecideReplySchema, context, (request, identity) => ({
    height: handlers.decide(indexOf(identity), blockFromWire(request)),
  })),
  getVote: unary(GetVoteRequestSchema, GetVoteReplySchema, context, ({ height }, identity) => {
    const answer = handlers.getVote(indexOf(identity), height);
    const found = answer.found && {
      block: answer.found.bytes,
      stateRoot: fromHex(answer.found.stateRoot),
      vote: voteToWire(answer.found.vote),
    };
    return { height: answer.height, ...found };
  }),
  sync: serverStream(
    SyncRequestSchema,
    DecideRequestSchema,
    context,
    async (call: ServerWritableStream<SyncRequest, DecideRequest>, identity) => {
      indexOf(identity);
      for (const block of handlers.sync(call.request.fromHeight)) {
        if (call.destroyed || call.cancelled) return;
        if (!call.write(create(DecideRequestSchema, blockToWire(block)))) await drained(call);
      }
      call.end();
    },
  ),
  forward: unary(SubmitRequestSchema, SubmitReplySchema, context, async ({ command }, identity) => {
    indexOf(identity);
    const decision = await handlers.forward(submitted(command));
    return decision.ok ? { height: decision.height } : { code: decision.code, message: decision.message };
  }),
});

/** Resolves when the caller takes more, or is gone. */
const drained = (call: ServerWritableStream<SyncRequest, DecideRequest>): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'cancelled']) call.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'cancelled']) call.on(event, done);
  });

export interface PeerConnection extends Peer, BlobPeer {
  /** A stream of the agreement's messages to it. */
  channel(): Channel;
  close(): void;
}

/** Another master at `host:port`; connects lazily and again. */
export const connectPeer = (index: number, address: string, tls: TlsFiles, authorities: Authorities): PeerConnection => {
  const client = grpcClient(PeersService, address, clientCredentials(tls, authorities, masterIdentity(index)));
  return {
    index,
    propose: async ({ bytes, stateRoot, vote, again }) => {
      const request = { block: bytes, stateRoot: fromHex(stateRoot), again, ...(vote && { vote: voteToWire(vote) }) };
      const reply = await client.propose(request, { timeoutMs: TIMEOUT.propose });
      const mark = voteFromWire(reply.vote);
      const { code, message, height, command } = reply;
      return { code, message, height, ...(mark && { vote: mark }), ...(command > 0 && { command: command - 1 }) };
    },
    decide: async (block) => (await client.decide(blockToWire(block), { timeoutMs: TIMEOUT.decide })).height,
    getVote: async (height) => {
      const reply = await client.getVote({ height }, { timeoutMs: TIMEOUT.getVote });
      const vote = voteFromWire(reply.vote);
      return vote
        ? { height: reply.height, found: { bytes: reply.block, stateRoot: hex(reply.stateRoot), vote } }
        : { height: reply.height };
    },
    async *sync(from, signal) {
      for await (const request of client.sync({ fromHeight: from }, { signal })) yield blockFromWire(request);
    },
    forward: async (command) => {
      const { height, code, message } = await client.forward({ command: encodeCommand(command) }, { timeoutMs: TIMEOUT.forward });
      return code === '' ? { ok: true, height } : { ok: false, code, message };
    },
    storeBlob: async (task, name, blob) => {
      await client.storeBlob({ task, name, blob }, { timeoutMs: TIMEOUT.blob });
    },
    fetchBlob: async (task, name) => {
      try {
        return (await client.fetchBlob({ task, name }, { timeoutMs: TIMEOUT.blob })).blob;
      } catch (thrown) {
        if (thrown instanceof Error && 'code' in thrown && thrown.code === status.NOT_FOUND) return undefined;
        throw thrown;
      }
    },
    channel: () => openChannel(client),
    close: () => client.close(),
  };
};
