/**
 * gRPC over @grpc/grpc-js from protobuf-es service descriptors: typed clients and servers without a second code generator.
 * Message sizes, deadlines and concurrent streams are bounded here, once.
 */
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import {
  Metadata,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientWritableStream,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Connection } from './connection.ts';

export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
export const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_concurrent_streams': 256,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5_000,
};

type Input<M> = M extends DescMethod & { input: infer I extends DescMessage } ? I : never;
type Output<M> = M extends DescMethod & { output: infer O extends DescMessage } ? O : never;
type Kind<M> = M extends { methodKind: infer K } ? K : never;

const path = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;
const encodeWith =
  (schema: DescMessage) =>
  (message: MessageShape<DescMessage>): Buffer =>
    Buffer.from(toBinary(schema, message));
const decodeWith =
  (schema: DescMessage) =>
  (bytes: Buffer): MessageShape<DescMessage> =>
    fromBinary(schema, bytes);

/** The grpc-js definition of a protobuf-es service, for `Server.addService`. */
export const serviceDefinition = (service: DescService): ServiceDefinition<UntypedServiceImplementation> =>
  Object.fromEntries(
    service.methods.map((method): [string, MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>>] => [
      method.localName,
      {
        path: path(method),
        requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
        responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
        requestSerialize: encodeWith(method.input),
        requestDeserialize: decodeWith(method.input),
        responseSerialize: encodeWith(method.output),
        responseDeserialize: decodeWith(method.output),
      },
    ]),
  );

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}
/** A stream of requests; `ended` resolves when it is over, however that came about. */
export interface RequestStream<M extends DescMessage> {
  readonly stream: ClientWritableStream<MessageShape<M>>;
  readonly ended: Promise<void>;
}
/** Unary methods as promises, server streams as async iterables, client streams as what they write to. Errors are grpc-js ServiceErrors with `code`. */
export type GrpcClient<S extends DescService> = {
  readonly [M in keyof S['method']]: Kind<S['method'][M]> extends 'server_streaming'
    ? (request: MessageInitShape<Input<S['method'][M]>>, options?: CallOptions) => AsyncIterable<MessageShape<Output<S['method'][M]>>>
    : Kind<S['method'][M]> extends 'client_streaming'
      ? () => RequestStream<Input<S['method'][M]>>
      : (request: MessageInitShape<Input<S['method'][M]>>, options?: CallOptions) => Promise<MessageShape<Output<S['method'][M]>>>;
} & { readonly close: () => void };

const DEFAULT_TIMEOUT_MS = 15_000;

/** A client for `address` (host:port or unix:path). Streams have no deadline of their own: pass a signal. */
export const grpcClient = <S extends DescService>(
  service: S,
  address: string,
  credentials: ChannelCredentials,
  options: ChannelOptions = {},
): GrpcClient<S> => {
  const connection = new Connection(address, credentials, { ...channelOptions, ...options });
  const call =
    (method: DescMethod) =>
    (init: MessageInitShape<DescMessage>, callOptions: CallOptions = {}) => {
      const write = encodeWith(method.input);
      const read = decodeWith(method.output);
      if (method.methodKind === 'client_streaming') {
        const over = Promise.withResolvers<void>();
        const stream = connection.client().makeClientStreamRequest(path(method), write, read, new Metadata(), () => over.resolve());
        return { stream, ended: over.promise };
      }
      const request = create(method.input, init);
      if (method.methodKind === 'server_streaming') {
        const stream = connection.client().makeServerStreamRequest(path(method), write, read, request, new Metadata());
        callOptions.signal?.addEventListener('abort', () => stream.cancel(), { once: true });
        return stream;
      }
      return new Promise<MessageShape<DescMessage>>((resolve, reject) => {
        const deadline = Date.now() + (callOptions.timeoutMs ?? DEFAULT_TIMEOUT_MS);
        const cancel = (): void => unary.cancel();
        const unary = connection
          .client()
          .makeUnaryRequest(path(method), write, read, request, new Metadata(), { deadline }, (error, reply) => {
            callOptions.signal?.removeEventListener('abort', cancel);
            if (error) reject(error);
            else if (reply) resolve(reply);
            else reject(new Error('empty reply'));
          });
        callOptions.signal?.addEventListener('abort', cancel, { once: true });
      });
    };
  const methods = Object.fromEntries(service.methods.map((m) => [m.localName, call(m)]));
  return { ...methods, close: () => connection.close() } as GrpcClient<S>;
};
