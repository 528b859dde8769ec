/** The Peers service (port 7443) and its client: masters among themselves, known by their certificates. */
import { status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  AgreementMessageSchema,
  GetBlobReplySchema,
  GetBlobRequestSchema,
  grpcClient,
  Peers as PeersService,
  PutBlobReplySchema,
  PutBlobRequestSchema,
  TellReplySchema,
} from '@scs/proto';
import { clientCredentials, masterIdentity, type Authorities, type TlsFiles } from '@scs/proto/tls.ts';
import { openChannel, type PeerStreams } from '../consensus/runtime/grpc-link.ts';
import type { Channel } from '../consensus/runtime/peer-link.ts';
import type { BlobPeer, Blobs } from './blobs.ts';
import { denied, invalid, notFound } from './refusal.ts';
import { clientStream, unary, type CallContext } from './serve.ts';

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
}

export const peersService = ({ agreement, blobs }: PeersApi, context: CallContext): UntypedServiceImplementation => ({
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

export interface PeerConnection extends BlobPeer {
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
    channel: () => openChannel(client),
    close: () => client.close(),
  };
};
