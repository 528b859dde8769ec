/**
 * The gRPC service of a Vault. Callers are its own enterprise's sidecars and agent, by mutual TLS; what a slice gets is decided
 * by the certified record and its attestation. Work at once is bounded.
 */
import { once } from 'node:events';
import { create } from '@bufbuild/protobuf';
import { Server, status, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import {
  channelOptions,
  HealthReplySchema,
  ReleaseReplySchema,
  SealedChunkSchema,
  SliceChangeSchema,
  serviceDefinition,
  VaultNode,
  type HealthReply,
  type HealthRequest,
  type OpenSliceRequest,
  type ReleaseReply,
  type ReleaseRequest,
  type SealedChunk,
  type SliceChange,
} from '@scs/proto';
import { encodeCanonical } from '@scs/protocol';
import { callerIdentity, enterpriseIdentity, serverCredentials, type Authorities, type TlsFiles } from '@scs/proto/tls.ts';
import { localAttributes } from './import/local-attributes.ts';
import { errorCode, type Logger } from './logger.ts';
import { openSlice, type SealedPart } from './open-slice.ts';
import { release, type ReleaseContext } from './release.ts';
import { watchSlice } from './watch-slice.ts';

export interface Health {
  readonly ready: boolean;
  /** PascalCase code and a sentence of what it waits for. */
  readonly reason: string;
  readonly message: string;
}
export interface ServerOptions extends ReleaseContext {
  /** `address:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls: TlsFiles;
  readonly authorities: Authorities;
  readonly log: Logger;
  readonly health: () => Health;
  readonly drainMs?: number;
  readonly onCall?: (method: string, code: string) => void;
}
/** Below the 30 s that a pod has to stop. */
const DRAIN_MS = 20_000;
const MAX_OPENING = 4;
const MAX_RELEASING = 64;
const MAX_WATCHING = 256;
/** The largest audience as hex, and all the numbers that a plan may ask for, padded. */
const MAX_SEALED_OUTPUT = 9 * 1024 * 1024;

type Call = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

/** At most `limit` at once; more are told to come again. */
class Gate {
  readonly #limit: number;
  #inside = 0;
  constructor(limit: number) {
    this.#limit = limit;
  }
  enter(): boolean {
    if (this.#inside >= this.#limit) return false;
    this.#inside++;
    return true;
  }
  leave(): void {
    this.#inside--;
  }
}

const reply = (code: string, message: string, height = 0n): ReleaseReply => create(ReleaseReplySchema, { code, message, height });

class VaultService {
  readonly #options: ServerOptions;
  readonly #opening = new Gate(MAX_OPENING);
  readonly #releasing = new Gate(MAX_RELEASING);
  readonly #watching = new Gate(MAX_WATCHING);
  readonly #streams = new Set<AbortController>();
  constructor(options: ServerOptions) {
    this.#options = options;
  }

  allowed(call: Call): boolean {
    return callerIdentity(call, this.#options.authorities) === enterpriseIdentity(this.#options.manifest.enterprise);
  }

  async open(call: ServerWritableStream<OpenSliceRequest, SealedChunk>): Promise<string> {
    if (!this.#opening.enter()) return this.#fail(call, status.RESOURCE_EXHAUSTED, 'Busy', 'other slices are being opened');
    try {
      const opened = await openSlice(call.request.task, call.request.sealKey, this.#options, call.request.held);
      if (!opened.ok) return this.#fail(call, status.FAILED_PRECONDITION, opened.refusal.code, opened.refusal.message);
      for await (const part of opened.parts) {
        if (call.cancelled) return 'Cancelled';
        await this.#write(call, part);
      }
      call.end();
      return 'OK';
    } catch (error) {
      return this.#fail(call, status.UNAVAILABLE, errorCode(error), 'the slice could not be opened now');
    } finally {
      this.#opening.leave();
    }
  }
  async #write(call: ServerWritableStream<OpenSliceRequest, SealedChunk>, part: SealedPart): Promise<void> {
    if (call.write(create(SealedChunkSchema, part))) return;
    const settled = new AbortController();
    try {
      await Promise.race(['drain', 'cancelled', 'close'].map((event) => once(call, event, { signal: settled.signal })));
    } finally {
      settled.abort();
    }
  }
  #fail(call: ServerWritableStream<unknown, unknown>, grpcCode: status, code: string, message: string): string {
    call.emit('error', { code: grpcCode, details: `${code}: ${message}` });
    return code;
  }

  /** C2: one message when a subject of the running slice has revoked. */
  async watch(call: ServerWritableStream<OpenSliceRequest, SliceChange>): Promise<string> {
    if (!this.#watching.enter()) return this.#fail(call, status.RESOURCE_EXHAUSTED, 'Busy', 'other slices are being watched');
    const gone = new AbortController();
    for (const event of ['cancelled', 'close', 'error']) call.on(event, () => gone.abort());
    this.#streams.add(gone);
    try {
      const watched = await watchSlice(call.request.task, call.request.sealKey, this.#options, gone.signal);
      if (!watched.ok) return this.#fail(call, status.FAILED_PRECONDITION, watched.refusal.code, watched.refusal.message);
      if (watched.changed) call.write(create(SliceChangeSchema, { code: 'ConsentChanged' }));
      call.end();
      return 'OK';
    } catch (error) {
      return this.#fail(call, status.UNAVAILABLE, errorCode(error), 'the slice can not be watched now');
    } finally {
      this.#streams.delete(gone);
      this.#watching.leave();
    }
  }
  /** Streams that would wait for ever end. */
  stopWatching(): void {
    for (const stream of this.#streams) stream.abort();
  }

  async release(request: ReleaseRequest): Promise<ReleaseReply> {
    if (request.sealedOutput.length > MAX_SEALED_OUTPUT) return reply('EvidenceInvalid', 'the sealed output is too large');
    if (!this.#releasing.enter()) return reply('Busy', 'other slices are being released');
    try {
      const released = await release(request, this.#options);
      return released.ok ? reply('', '', released.height) : reply(released.refusal.code, released.refusal.message);
    } catch (error) {
      return reply(errorCode(error), 'the release could not be completed now; ask again');
    } finally {
      this.#releasing.leave();
    }
  }

  async health(): Promise<HealthReply> {
    const { store, health } = this.#options;
    const { ready, reason, message } = health();
    const { sequence, head } = await store.journal();
    const { publicKey, noiseKeyCommitment } = store.keys;
    const local = await localAttributes(store);
    return create(HealthReplySchema, {
      ready,
      reason,
      message,
      publicKey,
      noiseKeyCommitment,
      journalSequence: sequence,
      journalHead: head,
      localAttributes: local.length === 0 ? new Uint8Array() : encodeCanonical(local),
    });
  }
}

export interface RunningServer {
  readonly port: number;
  /** Takes no new calls, lets those that are in hand end for a while, then cuts them. */
  close(): Promise<void>;
}

/** Rejects when the address is taken. */
export const startServer = async (options: ServerOptions): Promise<RunningServer> => {
  const service = new VaultService(options);
  const server = new Server(channelOptions);
  const note = (method: string, code: string): void => {
    options.onCall?.(method, code);
    if (code !== 'OK' && method !== 'Health') options.log.info({ vault: options.store.vault, method, code }, 'refused');
  };
  const unary =
    <Request, Reply>(method: string, work: (request: Request) => Promise<Reply>, codeOf: (reply: Reply) => string) =>
    (call: ServerUnaryCall<Request, Reply>, done: sendUnaryData<Reply>): void => {
      if (!service.allowed(call)) return done({ code: status.PERMISSION_DENIED, details: 'only this Vault’s enterprise may ask' });
      const serve = async (): Promise<void> => {
        const message = await work(call.request);
        note(method, codeOf(message) || 'OK');
        done(null, message);
      };
      serve().catch((error: unknown) => {
        note(method, errorCode(error));
        done({ code: status.UNAVAILABLE, details: errorCode(error) });
      });
    };
  server.addService(serviceDefinition(VaultNode), {
    openSlice: (call: ServerWritableStream<OpenSliceRequest, SealedChunk>): void => {
      if (!service.allowed(call)) {
        call.emit('error', { code: status.PERMISSION_DENIED, details: 'only this Vault’s enterprise may ask' });
        return;
      }
      service.open(call).then(
        (code) => note('OpenSlice', code),
        (error: unknown) => note('OpenSlice', errorCode(error)),
      );
    },
    watchSlice: (call: ServerWritableStream<OpenSliceRequest, SliceChange>): void => {
      if (!service.allowed(call)) {
        call.emit('error', { code: status.PERMISSION_DENIED, details: 'only this Vault’s enterprise may ask' });
        return;
      }
      service.watch(call).then(
        (code) => note('WatchSlice', code),
        (error: unknown) => note('WatchSlice', errorCode(error)),
      );
    },
    release: unary<ReleaseRequest, ReleaseReply>(
      'Release',
      (request) => service.release(request),
      ({ code }) => code,
    ),
    health: unary<HealthRequest, HealthReply>(
      'Health',
      () => service.health(),
      () => '',
    ),
  });
  const credentials = serverCredentials(options.tls, options.authorities);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(options.listen, credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.forceShutdown(), options.drainMs ?? DRAIN_MS);
        service.stopWatching();
        server.tryShutdown(() => {
          clearTimeout(cut);
          resolve();
        });
      }),
  };
};
