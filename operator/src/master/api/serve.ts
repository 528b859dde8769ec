/** A gRPC server with mutual TLS: each call has a proven caller, a bounded rate, and an error that says no more than it should. */
import { create, type DescService, type MessageInitShape, type MessageShape, type DescMessage } from '@bufbuild/protobuf';
import {
  Server,
  status,
  type sendUnaryData,
  type ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type UntypedServiceImplementation,
  Metadata,
} from '@grpc/grpc-js';
import { channelOptions, serviceDefinition } from '@scs/proto';
import { callerIdentity, type Authorities } from '@scs/proto/tls.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import { denied, Refusal, tooMuch } from './refusal.ts';

export interface CallContext {
  readonly authorities: Authorities;
  /** Throws a Refusal for a caller that has no business here; gives what handlers need of it. */
  readonly admits: (identity: string) => boolean;
  readonly withinRate: (identity: string) => boolean;
  readonly logger: Logger;
}

type Call = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown> | ServerReadableStream<unknown, unknown>;
const identified = (call: Call, context: CallContext): string => {
  const identity = callerIdentity(call, context.authorities);
  if (identity === undefined || !context.admits(identity)) throw denied('the certificate stands for nobody who may call this');
  if (!context.withinRate(identity)) throw tooMuch('too many calls; slow down');
  return identity;
};

const asServiceError = (thrown: unknown, path: string, logger: Logger): ServiceError => {
  const refusal = thrown instanceof Refusal ? thrown : undefined;
  if (!refusal) logger.error({ path, ...errorFields(thrown) }, 'a call failed');
  const message = refusal?.message ?? 'internal error';
  const code = refusal?.status ?? status.INTERNAL;
  return Object.assign(new Error(message), { code, details: message, metadata: new Metadata() });
};

/** A unary method. */
export const unary =
  <I extends DescMessage, O extends DescMessage>(
    _input: I,
    output: O,
    context: CallContext,
    handle: (request: MessageShape<I>, identity: string) => Promise<MessageInitShape<O>> | MessageInitShape<O>,
  ) =>
  (call: ServerUnaryCall<MessageShape<I>, MessageShape<O>>, reply: sendUnaryData<MessageShape<O>>): void => {
    const answer = async (): Promise<MessageShape<O>> => create(output, await handle(call.request, identified(call, context)));
    answer().then(
      (message) => reply(null, message),
      (thrown: unknown) => reply(asServiceError(thrown, call.getPath(), context.logger)),
    );
  };

/** A server stream; `handle` owns the call from here on. What it throws ends the call. */
export const serverStream =
  <I extends DescMessage, O extends DescMessage>(
    _input: I,
    _output: O,
    context: CallContext,
    handle: (call: ServerWritableStream<MessageShape<I>, MessageShape<O>>, identity: string) => Promise<void> | void,
  ) =>
  (call: ServerWritableStream<MessageShape<I>, MessageShape<O>>): void => {
    call.on('error', () => call.end()); // the peer is gone; whoever writes looks at `destroyed`
    const run = async (): Promise<void> => handle(call, identified(call, context));
    // grpc-js sends the status of an `error` event; a stream that is destroyed leaves its caller waiting
    run().catch((thrown: unknown) => call.emit('error', asServiceError(thrown, call.getPath(), context.logger)));
  };

/** A client stream; `handle` takes messages and resolves when it wants no more. What it throws ends the call. */
export const clientStream =
  <I extends DescMessage, O extends DescMessage>(
    _input: I,
    output: O,
    context: CallContext,
    handle: (call: ServerReadableStream<MessageShape<I>, MessageShape<O>>, identity: string) => Promise<MessageInitShape<O>>,
  ) =>
  (call: ServerReadableStream<MessageShape<I>, MessageShape<O>>, reply: sendUnaryData<MessageShape<O>>): void => {
    const run = async (): Promise<MessageShape<O>> => create(output, await handle(call, identified(call, context)));
    run().then(
      (message) => reply(null, message),
      (thrown: unknown) => reply(asServiceError(thrown, call.getPath(), context.logger)),
    );
  };

export interface Serving {
  /** `host:port` as bound. */
  readonly port: number;
  /** Ends calls after the grace. */
  stop(graceMs?: number): Promise<void>;
}

/** Rejects when the port is taken. Port 0 takes a free one. */
export const serve = async (
  address: string,
  credentials: ServerCredentials,
  services: readonly { readonly service: DescService; readonly methods: UntypedServiceImplementation }[],
): Promise<Serving> => {
  const server = new Server(channelOptions);
  for (const { service, methods } of services) server.addService(serviceDefinition(service), methods);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    port,
    stop: (graceMs = 1_000) =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
};
