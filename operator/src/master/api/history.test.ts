/** X1: how one master gets blocks that it lacks from another, over the wire: a file's worth, from masters only, one call at a time. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Peers } from '@scs/proto';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { authoritiesOf, enterpriseIdentity, masterIdentity, serverCredentials } from '@scs/proto/tls.ts';
import { encodeBlock, headOf, type Block, type Genesis } from '@scs/protocol';
import { aGenesis, enterprises } from '@scs/protocol/testing/genesis.ts';
import { actorKey, digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import type { PeerStreams } from '../consensus/runtime/grpc-link.ts';
import type { StoredBlock } from '../log/disk.ts';
import { silentLogger } from '../log/testing/silent-logger.ts';
import type { Blobs } from './blobs.ts';
import { connectPeer, peersService, type PeerConnection } from './peers.ts';
import { serve, type Serving } from './serve.ts';

const stranger = enterprises[0];
const tls = new Map<string, TlsIdentity>();
let genesis: Genesis;
let serving: Serving;
const open: PeerConnection[] = [];
const connect = (identity: string): PeerConnection => {
  const peer = connectPeer(0, `127.0.0.1:${serving.port}`, tls.get(identity)!, authoritiesOf(genesis));
  open.push(peer);
  return peer;
};

const log: readonly StoredBlock[] = Array.from({ length: 300 }, (_, i) => {
  const block: Block = { height: BigInt(i + 1), generation: 0n, parent: digestOf(`${i}`), time: i, proposer: 0, commands: [] };
  const certificate = { head: headOf(block, digestOf('genesis'), digestOf('state')), votes: [{ master: 1, signature: 'ab'.repeat(64) }] };
  return { height: block.height, bytes: encodeBlock(block), certificate };
});
/** What the archive gives next waits for this. */
let gate: Promise<void> = Promise.resolve();

beforeAll(async () => {
  const since = new Date(Date.now() - 60_000);
  const authorities = new Map<string, string>();
  const certify = async (identity: string, seed: string): Promise<void> => {
    const authority = await createAuthority(seed, identity, since, 1);
    authorities.set(identity, authority.certificatePem);
    tls.set(identity, await issue(authority, seed, identity, since, 1));
  };
  await Promise.all([0, 1, 2].map((i) => certify(masterIdentity(i), masterKey(i).seed)));
  await Promise.all(enterprises.map((name) => certify(enterpriseIdentity(actorKey(name).address), actorKey(name).seed)));
  const base = aGenesis();
  genesis = {
    ...base,
    masters: base.masters.map((m, i) => ({ ...m, tlsAuthority: authorities.get(masterIdentity(i))! })),
    actors: base.actors.map((a) =>
      a.enterprise ? { ...a, enterprise: { ...a.enterprise, tlsAuthority: authorities.get(enterpriseIdentity(a.address))! } } : a,
    ),
  };
  const trusted = authoritiesOf(genesis);
  const archive = {
    async *blocks(from: bigint) {
      await gate;
      yield* log.filter(({ height }) => height >= from);
    },
  };
  const context = {
    authorities: trusted,
    admits: (identity: string) => [1, 2].some((i) => identity === masterIdentity(i)),
    withinRate: () => true,
    logger: silentLogger,
  };
  const methods = peersService({ archive, agreement: {} as PeerStreams, blobs: {} as Blobs }, context);
  serving = await serve('127.0.0.1:0', serverCredentials(tls.get(masterIdentity(0))!, trusted), [{ service: Peers, methods }]);
});
afterAll(async () => {
  for (const peer of open) peer.close();
  await serving.stop(0);
});
const fetched = async (peer: PeerConnection, from: bigint): Promise<readonly StoredBlock[]> => {
  const blocks: StoredBlock[] = [];
  for await (const { height, bytes, certificate } of peer.history(from, new AbortController().signal))
    blocks.push({ height, bytes: Uint8Array.from(bytes), certificate });
  return blocks;
};

test('blocks come as they are stored, up to the end of a file', async () => {
  expect(await fetched(connect(masterIdentity(1)), 200n)).toEqual(log.slice(199, 256));
  expect(await fetched(connect(masterIdentity(2)), 257n)).toEqual(log.slice(256));
  expect(await fetched(connect(masterIdentity(2)), 301n)).toEqual([]);
});
test('N10: nobody but masters is told', async () => {
  await expect(fetched(connect(enterpriseIdentity(actorKey(stranger).address)), 1n)).rejects.toThrow('PERMISSION_DENIED');
});
test('a second call of a master at a time is refused, and another master is not held up', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  const peer = connect(masterIdentity(1));
  const calls = [fetched(peer, 1n), fetched(peer, 1n)];
  await expect(
    Promise.any(
      calls.map((call) =>
        call.then(
          () => Promise.reject(new Error('it came')),
          (error: unknown) => String(error),
        ),
      ),
    ),
  ).resolves.toContain('RESOURCE_EXHAUSTED');
  const other = fetched(connect(masterIdentity(2)), 1n);
  resolve();
  expect((await other).length).toBe(256);
  expect((await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});
