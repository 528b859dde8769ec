/** The counter over gRPC: mutual TLS under this master's own authority, short deadlines. */
import { status } from '@grpc/grpc-js';
import { Counter, grpcClient } from '@scs/proto';
import { clientCredentials, counterIdentity, type Authorities, type TlsFiles } from '@scs/proto/tls.ts';
import { Attestation, decodeCanonical, fromHex, hex } from '@scs/protocol';
import { CounterGone, type CounterPort } from './counter-port.ts';

const TIMEOUT = { ui: 500, other: 2_000 } as const;

const orGone = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === status.FAILED_PRECONDITION)
      throw new CounterGone('the counter has another identity by now', { cause: error });
    throw error;
  }
};

export const connectCounter = (master: number, address: string, tls: TlsFiles, authorities: Authorities): CounterPort => {
  const client = grpcClient(Counter, address, clientCredentials(tls, authorities, counterIdentity(master)));
  const now = ({ key, last }: { readonly key: Uint8Array; readonly last: bigint }) => ({ key: hex(key), last: Number(last) });
  return {
    describe: async () => now(await client.describe({}, { timeoutMs: TIMEOUT.other })),
    createUi: async (key, digest) => {
      const reply = await orGone(client.createUi({ key: fromHex(key), digest: fromHex(digest) }, { timeoutMs: TIMEOUT.ui }));
      return { key, counter: Number(reply.counter), signature: hex(reply.signature) };
    },
    forget: async (key, below) => {
      await client.forget({ key: fromHex(key), below: BigInt(below) }, { timeoutMs: TIMEOUT.other });
    },
    attest: async (key, height, block) => {
      const reply = await orGone(client.attestCounter({ key: fromHex(key), height, block: fromHex(block) }, { timeoutMs: TIMEOUT.other }));
      return Attestation.parse(decodeCanonical(reply.attestation));
    },
    renew: async (key) => now(await client.renew({ key: fromHex(key) }, { timeoutMs: TIMEOUT.other })),
    close: () => client.close(),
  };
};
