/** The Counter service: mutual TLS, and only the one master it serves is answered (rules N7, N10). Nothing else is reachable here. */
import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { Server, status, type handleUnaryCall, type ServerCredentials, type StatusObject } from '@grpc/grpc-js';
import {
  AttestCounterReplySchema,
  Counter,
  CreateUiReplySchema,
  DescribeCounterReplySchema,
  ForgetReplySchema,
  serviceDefinition,
  type AttestCounterRequest,
  type CreateUiRequest,
  type DescribeCounterRequest,
  type ForgetRequest,
  type RenewCounterRequest,
} from '@scs/proto';
import { callerIdentity, masterIdentity, type Authorities } from '@scs/proto/tls.ts';
import { encodeCanonical, fromHex, hex } from '@scs/protocol';
import type { Tee } from './attest.ts';
import type { TrustedCounter } from './counter.ts';

export interface CounterServing {
  readonly port: number;
  close(): Promise<void>;
}
export interface CounterServerOptions {
  readonly counter: TrustedCounter;
  readonly tee: Tee;
  /** Digest of the genesis, hex, and the index of the master that it serves. */
  readonly genesis: string;
  readonly master: number;
  readonly authorities: Authorities;
  readonly credentials: ServerCredentials;
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
}

class Refused extends Error {
  readonly status: status;
  constructor(code: status, message: string) {
    super(message);
    this.status = code;
  }
}
const otherIdentity = (): Refused => new Refused(status.FAILED_PRECONDITION, 'OtherIdentity');

/** What is thrown here by mistake ends as INTERNAL, without its words. */
const failure = (thrown: unknown): Partial<StatusObject> =>
  thrown instanceof Refused ? { code: thrown.status, details: thrown.message } : { code: status.INTERNAL, details: 'the counter failed' };

/** Rejects when the address is taken. */
export const serveCounter = async (o: CounterServerOptions): Promise<CounterServing> => {
  const { counter, tee, genesis, master } = o;
  const mine = masterIdentity(master);
  const unary =
    <Q, O extends DescMessage>(
      schema: O,
      answer: (request: Q) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
    ): handleUnaryCall<Q, MessageShape<O>> =>
    (call, reply) => {
      const respond = async (): Promise<MessageShape<O>> => {
        if (callerIdentity(call, o.authorities) !== mine) throw new Refused(status.PERMISSION_DENIED, 'only its master may ask a counter');
        return create(schema, await answer(call.request));
      };
      respond().then(
        (message) => reply(null, message),
        (thrown: unknown) => reply(failure(thrown)),
      );
    };
  const describe = () => ({ key: fromHex(counter.key()), last: BigInt(counter.last()) });

  const server = new Server({
    'grpc.max_receive_message_length': 16 * 1024,
    'grpc.max_concurrent_streams': 64,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
  });
  server.addService(serviceDefinition(Counter), {
    describe: unary<DescribeCounterRequest, typeof DescribeCounterReplySchema>(DescribeCounterReplySchema, describe),
    createUi: unary<CreateUiRequest, typeof CreateUiReplySchema>(CreateUiReplySchema, ({ key, digest }) => {
      const made = counter.createUi(hex(key), hex(digest));
      if (!made.ok) throw made.fault.code === 'OtherIdentity' ? otherIdentity() : new Refused(status.RESOURCE_EXHAUSTED, made.fault.code);
      return { counter: BigInt(made.ui.counter), signature: fromHex(made.ui.signature) };
    }),
    forget: unary<ForgetRequest, typeof ForgetReplySchema>(ForgetReplySchema, ({ key, below }) => {
      counter.forget(hex(key), Number(below));
      return {};
    }),
    attestCounter: unary<AttestCounterRequest, typeof AttestCounterReplySchema>(
      AttestCounterReplySchema,
      async ({ key, height, block }) => {
        const attestation = await counter.attest(tee, { genesis, master, key: hex(key), height, block: hex(block) });
        if (!attestation) throw otherIdentity();
        return { attestation: encodeCanonical(attestation) };
      },
    ),
    renew: unary<RenewCounterRequest, typeof DescribeCounterReplySchema>(DescribeCounterReplySchema, ({ key }) => {
      counter.renew(hex(key));
      return describe();
    }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(o.address, o.credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const force = setTimeout(() => (server.forceShutdown(), resolve()), 1_000);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
};
