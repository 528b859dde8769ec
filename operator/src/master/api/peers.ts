/** The Peers service (port 7443) and its client: masters among themselves, known by their certificates. */
import { create } from '@bufbuild/protobuf';
import { status, type ServerWritableStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  AgreementMessageSchema,
  certificateFromWire,
  certificateToWire,
  GetBlobReplySchema,
  GetBlobRequestSchema,
  grpcClient,
  HistoryBlockSchema,
  HistoryRequestSchema,
  Peers as PeersService,
  PutBlobReplySchema,
  PutBlobRequestSchema,
  TellReplySchema,
  type HistoryBlock,
  type HistoryRequest,
} from '@scs/proto';
import { clientCredentials, masterIdentity, type Authorities, type TlsFiles } from '@scs/proto/tls.ts';
import { openChannel, type PeerStreams } from '../consensus/runtime/grpc-link.ts';
import type { Channel } from '../consensus/runtime/peer-link.ts';
import type { Archive } from '../log/archive/archive.ts';
import { endsFile } from '../log/archive/archive-file.ts';
import type { HistoryPeer } from '../log/archive/archivist.ts';
import type { BlobPeer, Blobs } from './blobs.ts';
import { denied, invalid, notFound, tooMuch } from './refusal.ts';
import { clientStream, serverStream, unary, type CallContext } from './serve.ts';

const BLOB_MS = 5_000;

const indexOf = (identity: string): number => {
  const index = /^scs:\/\/master\/([0-2])$/.exec(identity)?.[1];
  if (index === undefined) throw denied('only masters call this');
  return Number(index);
};

/** What a master answers its peers. */
export interface PeersApi {
  readonly agreement: PeerStreams;
  readonly blobs: Blobs;
  readonly archive: Pick<Archive, 'blocks'>;
}

const ofPeer =
  <C>(handle: (call: C, from: number) => Promise<void>) =>
  (call: C, identity: string): Promise<void> =>
    handle(call, indexOf(identity));

type HistoryCall = ServerWritableStream<HistoryRequest, HistoryBlock>;
/** Resolves when the caller takes more, or is gone. */
const drained = (call: HistoryCall): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'cancelled']) call.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'cancelled']) call.on(event, done);
  });
/** A file's worth of blocks, one call of a peer at a time: each may cost reading and unpacking a file. */
const historyOf = (archive: Pick<Archive, 'blocks'>) => {
  const busy = new Set<number>();
  return async (call: HistoryCall, from: number): Promise<void> => {
    if (busy.has(from)) throw tooMuch('one call at a time');
    busy.add(from);
    try {
      let bytes = 0;
      for await (const { height, bytes: block, certificate } of archive.blocks(call.request.fromHeight)) {
        if (call.destroyed || call.cancelled) return;
        if (!call.write(create(HistoryBlockSchema, { block, certificate: certificateToWire(certificate) }))) await drained(call);
        bytes += block.length;
        if (endsFile(height, bytes)) break;
      }
      call.end();
    } finally {
      busy.delete(from);
    }
  };
};

export const peersService = ({ agreement, blobs, archive }: PeersApi, context: CallContext): UntypedServiceImplementation => ({
  history: serverStream(HistoryRequestSchema, HistoryBlockSchema, context, ofPeer(historyOf(archive))),
  tell: clientStream(AgreementMessageSchema, TellReplySchema, context, async (call, identity) => {
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

export interface PeerConnection extends BlobPeer, HistoryPeer {
  /** A stream of the agreement's messages to it. */
  channel(): Channel;
  close(): void;
}

/** Another master at `host:port`; connects lazily and again. */
export const connectPeer = (index: number, address: string, tls: TlsFiles, authorities: Authorities): PeerConnection => {
  const client = grpcClient(PeersService, address, clientCredentials(tls, authorities, masterIdentity(index)));
  return {
    index,
    storeBlob: async (task, name, blob) => {
      await client.storeBlob({ task, name, blob }, { timeoutMs: BLOB_MS });
    },
    fetchBlob: async (task, name) => {
      try {
        return (await client.fetchBlob({ task, name }, { timeoutMs: BLOB_MS })).blob;
      } catch (thrown) {
        if (thrown instanceof Error && 'code' in thrown && thrown.code === status.NOT_FOUND) return undefined;
        throw thrown;
      }
    },
    async *history(from, signal) {
      for await (const { block, certificate } of client.history({ fromHeight: from }, { signal })) {
        const decoded = certificate && certificateFromWire(certificate);
        if (!decoded) throw new RangeError('a block came without its certificate');
        yield { height: decoded.head.height, bytes: block, certificate: decoded };
      }
    },
    channel: () => openChannel(client),
    close: () => client.close(),
  };
};
