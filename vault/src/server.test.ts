import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Genesis, SnapshotInput } from '@scs/protocol';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { grpcClient, VaultNode, type GrpcClient } from '@scs/proto';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { authoritiesOf, clientCredentials, enterpriseIdentity } from '@scs/proto/tls.ts';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import { startServer, type RunningServer } from './server.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, genesisFor, OTHERS, OURS, type WorldMasters } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

const notBefore = new Date(Date.now() - 3_600_000);
const SUBJECTS = Array.from({ length: 500 }, (_, i) => `household-${i}`);
let store: VaultStore;
let masters: WorldMasters;
let server: RunningServer;
let genesis: Genesis;
let remove: () => Promise<void>;
const tls: Record<string, TlsIdentity> = {};
const calls: string[] = [];
const clients: GrpcClient<typeof VaultNode>[] = [];

beforeEach(async () => {
  const { folder, remove: removeFolder } = await aFolder();
  remove = removeFolder;
  const plain = genesisFor(4);
  const authorities = new Map<string, string>();
  for (const name of ['alder', 'birch', 'cedar']) {
    const { seed, address } = actorKey(name);
    const authority = await createAuthority(seed, enterpriseIdentity(address), notBefore, 1);
    tls[name] = await issue(authority, seed, enterpriseIdentity(address), notBefore, 1);
    authorities.set(name, authority.certificatePem);
  }
  genesis = {
    ...plain,
    masters: plain.masters.map((m) => ({ ...m, tlsAuthority: authorities.get('alder')! })),
    actors: plain.actors.map((a) => (a.enterprise ? { ...a, enterprise: { ...a.enterprise, tlsAuthority: authorities.get(a.name)! } } : a)),
  };
  store = await openStore(folder, { vault: OURS });
  await fill(store, SUBJECTS.map(bought), SUBJECTS.map(granted));
  const group = aGroup(store, genesis);
  ({ masters } = group);
  const listening = {
    listen: '127.0.0.1:0',
    tls: tls['alder']!,
    authorities: authoritiesOf(genesis),
    log: silent,
    health: () => ({ ready: true, reason: 'Serving', message: '' }),
    onCall: (method: string, code: string) => calls.push(`${method} ${code}`),
  };
  server = await startServer({ ...group.context, ...listening });
  const uid = masters.world.submit(aTask().named('served'));
  await new Follower({ ...group.context, masters, log: silent }).settle(masters.world.task(uid));
  masters.world.answer(uid, OTHERS);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  await store.close();
  await remove();
  calls.length = 0;
});
const uid = aTask().named('served').uid;
const clientOf = (name: string): GrpcClient<typeof VaultNode> => {
  const expected = enterpriseIdentity(actorKey('alder').address);
  const client = grpcClient(VaultNode, `127.0.0.1:${server.port}`, clientCredentials(tls[name]!, authoritiesOf(genesis), expected));
  clients.push(client);
  return client;
};

test('A2: over mutual TLS, a slice is opened in chunks and released, by its own enterprise', async () => {
  const enclave = await SliceEnclave.start(masters.world.genesisDigest);
  masters.world.block(enclave.ready(uid));
  const client = clientOf('alder');
  const { input, files } = await enclave.receive(
    client.openSlice({ task: uid, sealKey: enclave.sealKey }),
    masters.world.task(uid).envelope!,
  );
  const snapshot = input as SnapshotInput;
  expect(files.length).toBe(snapshot.snapshot.bytes + snapshot.eligibleBytes);
  const { output: _, ...request } = await enclave.compute(uid, snapshot, [1n, 2n, 3n]);
  const reply = await client.release(request);
  expect(reply).toMatchObject({ code: '', height: masters.world.height });
  expect(calls).toEqual(['OpenSlice OK', 'Release OK']);
  expect(await client.health({})).toMatchObject({ ready: true, publicKey: store.keys.publicKey });
});

test('N10: another enterprise gets nothing; a refusal says its code; rubbish is refused', async () => {
  const stranger = clientOf('birch');
  const read = async (client: GrpcClient<typeof VaultNode>, sealKey: string): Promise<unknown> => {
    try {
      for await (const chunk of client.openSlice({ task: uid, sealKey })) return chunk;
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(await read(stranger, 'ab'.repeat(32))).toMatchObject({ code: 7 });
  await expect(stranger.release({ task: uid })).rejects.toMatchObject({ code: 7 });
  const own = clientOf('alder');
  expect(await read(own, 'ab'.repeat(32))).toMatchObject({ code: 9, details: expect.stringContaining('EnclaveMissing') as unknown });
  expect(await own.release({ task: 'x' })).toMatchObject({ code: 'TaskUnknown', height: 0n });
  const enclave = await SliceEnclave.start(masters.world.genesisDigest);
  masters.world.block(enclave.ready(uid));
  expect(await own.release({ task: uid, sealedOutput: new Uint8Array(9 * 1024 * 1024 + 1) })).toMatchObject({ code: 'EvidenceInvalid' });
  expect(await own.release({ task: uid, sealedOutput: new Uint8Array(64), enc: new Uint8Array(32) })).toMatchObject({
    code: 'SealInvalid',
  });
});

test('C2: whoever runs a slice hears of a revocation in it, at once, and of no other', async () => {
  const enclave = await SliceEnclave.start(masters.world.genesisDigest);
  masters.world.block(enclave.ready(uid));
  const client = clientOf('alder');
  const heard: string[] = [];
  const watch = async (): Promise<void> => {
    for await (const { code } of client.watchSlice({ task: uid, sealKey: enclave.sealKey })) heard.push(code);
  };
  await expect(
    client
      .watchSlice({ task: uid, sealKey: 'ab'.repeat(32) })
      [Symbol.asyncIterator]()
      .next(),
  ).rejects.toMatchObject({
    details: expect.stringContaining('EnclaveReplaced') as unknown,
  });
  const watching = watch();
  await store.consent({ subject: 'somebody else', usage: 'marketing', state: 'revoked', time: Date.now() });
  await store.consent({ subject: SUBJECTS[0]!, usage: 'analytics', state: 'revoked', time: Date.now() });
  expect(await store.hasRevoked(uid)).toBe(false);
  expect(heard).toEqual([]);
  await store.consent({ subject: SUBJECTS[0]!, usage: 'marketing', state: 'revoked', time: Date.now() });
  await watching;
  expect(heard).toEqual(['ConsentChanged']);
  // Opened anew, it is without them: nothing more to hear until the next revocation.
  await enclave.receive(client.openSlice({ task: uid, sealKey: enclave.sealKey }), masters.world.task(uid).envelope!);
  expect(await store.hasRevoked(uid)).toBe(false);
  // C4: who was erased is as one who revoked; who granted again is not.
  await store.erase(SUBJECTS[1]!);
  expect(await store.hasRevoked(uid)).toBe(true);
  await store.refresh(uid);
  await store.consent({ subject: SUBJECTS[2]!, usage: 'marketing', state: 'revoked', time: Date.now() });
  await store.consent({ subject: SUBJECTS[2]!, usage: 'marketing', state: 'granted', time: Date.now() });
  expect(await store.hasRevoked(uid)).toBe(false);
});

test('drain: a call in hand ends, a new one is refused, and then the server is gone', async () => {
  const enclave = await SliceEnclave.start(masters.world.genesisDigest);
  masters.world.block(enclave.ready(uid));
  const client = clientOf('alder');
  const { input } = await enclave.receive(client.openSlice({ task: uid, sealKey: enclave.sealKey }), masters.world.task(uid).envelope!);
  const { output: _, ...request } = await enclave.compute(uid, input as SnapshotInput, [1n, 2n, 3n]);
  const stored = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<void>();
  const submit = masters.submit.bind(masters);
  masters.submit = async (command) => {
    stored.resolve();
    await decided.promise;
    return submit(command);
  };
  const release = client.release(request);
  await stored.promise;
  const closed = server.close();
  await expect(clientOf('alder').health({})).rejects.toMatchObject({ code: 14 });
  decided.resolve();
  expect(await release).toMatchObject({ code: '', height: masters.world.height });
  await closed;
});
