import { randomBytes } from 'node:crypto';
import { Server, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { createAuthority, issue, type Authority, type TlsIdentity } from './authority.ts';
import { Masters, StatusReplySchema } from './gen/scs/v1/masters_pb.ts';
import { grpcClient, serviceDefinition } from './grpc.ts';
import { callerIdentity, clientCredentials, enterpriseIdentity, masterIdentity, serverCredentials } from './tls.ts';

const acme = enterpriseIdentity(`0x${'a'.repeat(64)}`);
const evil = enterpriseIdentity(`0x${'e'.repeat(64)}`);
const parts = new Map<string, { seed: string; authority: Authority; tls: TlsIdentity }>();
let server: Server;
let port: number;
const authorities = new Map<string, string>();
const now = new Date(Date.UTC(2026, 0, 1));

beforeAll(async () => {
  for (const identity of [masterIdentity(0), masterIdentity(1), acme, evil]) {
    const seed = randomBytes(32).toString('hex');
    const authority = await createAuthority(seed, identity, now, 10);
    parts.set(identity, { seed, authority, tls: await issue(authority, seed, identity, now, 10) });
    authorities.set(identity, authority.certificatePem);
  }
  server = new Server();
  server.addService(serviceDefinition(Masters), {
    status: (call: Parameters<typeof callerIdentity>[0], done: (error: null, reply: unknown) => void) =>
      done(null, create(StatusReplySchema, { genesis: callerIdentity(call, authorities) ?? 'nobody' })),
  });
  port = await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', serverCredentials(parts.get(masterIdentity(0))!.tls, authorities), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
});
afterAll(() => server.forceShutdown());

const ask = async (tls: TlsIdentity, expected: string) => {
  const client = grpcClient(Masters, `127.0.0.1:${port}`, clientCredentials(tls, authorities, expected));
  try {
    return (await client.status({}, { timeoutMs: 5_000 })).genesis;
  } finally {
    client.close();
  }
};

test('N10: the server learns which enterprise calls', async () => expect(await ask(parts.get(acme)!.tls, masterIdentity(0))).toBe(acme));
test('N10: a client refuses a master other than the one it expects', async () =>
  await expect(ask(parts.get(acme)!.tls, masterIdentity(1))).rejects.toMatchObject({ code: status.UNAVAILABLE }));
test('N10: an enterprise can not vouch for another, or for a master', async () => {
  const { authority, seed } = parts.get(evil)!;
  expect(await ask(await issue(authority, seed, acme, now, 10), masterIdentity(0))).toBe('nobody');
  expect(await ask(await issue(authority, seed, masterIdentity(1), now, 10), masterIdentity(0))).toBe('nobody');
});
