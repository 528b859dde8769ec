/** The agreement's messages over gRPC: one stream to each peer, and the other end of theirs. Mutual TLS has proven who speaks. */
import type { ServerReadableStream } from '@grpc/grpc-js';
import { AgreementMessageSchema, Peers, type AgreementMessage, type GrpcClient, type TellReply } from '@scs/proto';
import { create } from '@bufbuild/protobuf';
import type { Channel } from './peer-link.ts';
import type { Packet } from './wire-codec.ts';

/** A stream to a peer; connects by itself, ends on the first failure. */
export const openChannel = (client: Pick<GrpcClient<typeof Peers>, 'tell'>): Channel => {
  const { stream, ended } = client.tell();
  const over = new Promise<void>((resolve) => {
    stream.on('error', () => resolve()); // told by `ended` too; without a listener it would be thrown
    void ended.then(resolve);
  });
  return {
    write: ({ header, payload }) => stream.write(create(AgreementMessageSchema, { header, payload })),
    drained: () =>
      new Promise<void>((resolve) => {
        stream.once('drain', resolve);
        void over.then(resolve);
      }),
    ended: over,
    close: () => stream.cancel(),
  };
};

/** What takes a peer's packets; see `MinbftLog.receive`. */
export interface PacketSink {
  receive(from: number, packet: Packet, resume: () => void): 'taken' | 'full' | 'malformed';
}

/** Streams of peers: one each, the latest. Resolves when the stream is over; rejects when what came was no message. */
export class PeerStreams {
  readonly #sink: PacketSink;
  readonly #latest = new Map<number, () => void>();
  constructor(sink: PacketSink) {
    this.#sink = sink;
  }

  take(from: number, call: ServerReadableStream<AgreementMessage, TellReply>): Promise<'over' | 'replaced' | 'malformed'> {
    this.#latest.get(from)?.();
    return new Promise((resolve) => {
      const end = (why: 'over' | 'replaced' | 'malformed'): void => {
        call.off('data', take);
        call.resume();
        if (this.#latest.get(from) === replaced) this.#latest.delete(from);
        resolve(why);
      };
      const replaced = (): void => end('replaced');
      const take = ({ header, payload }: AgreementMessage): void => {
        const taken = this.#sink.receive(from, { header, payload }, () => call.resume());
        if (taken === 'full') call.pause();
        if (taken === 'malformed') end('malformed');
      };
      this.#latest.set(from, replaced);
      call.on('data', take);
      for (const event of ['end', 'error', 'cancelled', 'close']) call.once(event, () => end('over'));
    });
  }
}
