import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { Server, status, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import {
  blobDigest,
  decideMessage,
  decodeCommand,
  encodeCanonical,
  hex,
  MerkleMap,
  publicKeyOf,
  sign,
  type CertifiedLeaf,
} from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { createAuthority, issue, type Authority } from './authority.ts';
import { leafToWire } from './certified-leaf.ts';
import {
  CertifiedLeafSchema,
  Masters as MastersService,
  SubmitReplySchema,
  GetBlobReplySchema,
  PutBlobReplySchema,
  type GetBlobRequest,
  type GetLeafRequest,
  type PutBlobRequest,
  type SubmitRequest,
  type WatchTasksRequest,
} from './gen/scs/v1/masters_pb.ts';
import { serviceDefinition } from './grpc.ts';
import { createMasters, type Masters, MastersUnavailable } from './masters-client.ts';
import { authoritiesOf, masterIdentity, enterpriseIdentity, serverCredentials } from './tls.ts';

const seed = (): string => Buffer.from(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }).d!, 'base64url').toString('hex');
const GENESIS_DIGEST = 'ab'.repeat(32);
const ENTERPRISE = `0x${'11'.repeat(32)}`;
const masterSeeds = [seed(), seed(), seed()];
const notBefore = new Date(Date.now() - 3_600_000);

/** A leaf certified by masters 0 and 1 at `height`. */
const certified = (key: string, value: Uint8Array, height: bigint): CertifiedLeaf => {
  const map = MerkleMap.empty.set(key, value).set('meta/', Uint8Array.of(1));
  const head = { genesis: GENESIS_DIGEST, generation: 0n, height, stateRoot: hex(map.root()), block: 'cd'.repeat(32) };
  const votes = [0, 1].map((master) => ({ master, signature: sign(masterSeeds[master]!, decideMessage(head)) }));
  return { key, value: hex(value), siblings: map.prove(key)!.siblings.map(hex), certificate: { head, votes } };
};

interface Behaviour {
  readonly leaf?: (key: string) => CertifiedLeaf | undefined;
  readonly submit?: () => { height?: bigint; code?: string; message?: string };
  readonly watch?: () => readonly CertifiedLeaf[];
  /** Blobs by name; those put are added. */
  readonly blobs?: Map<string, Uint8Array>;
}
const cleanups: (() => void)[] = [];
let faults: string[] = [];
afterEach(() => {
  faults = [];
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const group = async (behaviours: readonly (Behaviour | 'down')[], rotateMs = 30_000): Promise<Masters> => {
  const authorities: Authority[] = await Promise.all(masterSeeds.map((s, i) => createAuthority(s, masterIdentity(i), notBefore, 1)));
  const enterpriseSeed = seed();
  const enterpriseAuthority = await createAuthority(enterpriseSeed, enterpriseIdentity(ENTERPRISE), notBefore, 1);
  const genesis = {
    ...aGenesis(),
    masters: masterSeeds.map((s, i) => ({
      publicKey: publicKeyOf(s),
      tlsAuthority: authorities[i]!.certificatePem,
      rewardAddress: ENTERPRISE,
    })),
    actors: [
      {
        address: ENTERPRISE,
        publicKey: publicKeyOf(enterpriseSeed),
        role: 'enterprise' as const,
        name: 'a',
        state: 'active' as const,
        kubernetesUsers: [],
        allocation: 0n,
        enterprise: { namespace: 'a', tlsAuthority: enterpriseAuthority.certificatePem, contributesCompute: false },
      },
    ],
  };
  const addresses = await Promise.all(
    behaviours.map(async (behaviour, i) => {
      if (behaviour === 'down') return '127.0.0.1:1';
      const server = new Server();
      server.addService(serviceDefinition(MastersService), {
        submit: (call: ServerUnaryCall<SubmitRequest, unknown>, reply: sendUnaryData<unknown>) => {
          decodeCommand(call.request.command);
          reply(null, create(SubmitReplySchema, behaviour.submit?.() ?? { height: 7n }));
        },
        getLeaf: (call: ServerUnaryCall<GetLeafRequest, unknown>, reply: sendUnaryData<unknown>) => {
          const leaf = behaviour.leaf?.(call.request.key);
          if (leaf) reply(null, create(CertifiedLeafSchema, leafToWire(leaf)));
          else reply({ code: status.NOT_FOUND, details: 'no such leaf' });
        },
        putBlob: (call: ServerUnaryCall<PutBlobRequest, unknown>, reply: sendUnaryData<unknown>) => {
          behaviour.blobs?.set(call.request.name, call.request.blob);
          reply(null, create(PutBlobReplySchema, { digest: blobDigest(call.request.blob) }));
        },
        getBlob: (call: ServerUnaryCall<GetBlobRequest, unknown>, reply: sendUnaryData<unknown>) => {
          const blob = behaviour.blobs?.get(call.request.name);
          if (blob) reply(null, create(GetBlobReplySchema, { blob }));
          else reply({ code: status.NOT_FOUND, details: 'no such blob' });
        },
        watchTasks: (call: ServerWritableStream<WatchTasksRequest, unknown>) => {
          for (const leaf of behaviour.watch?.() ?? []) call.write(create(CertifiedLeafSchema, leafToWire(leaf)));
          call.end();
        },
      });
      const tls = await issue(authorities[i]!, masterSeeds[i]!, masterIdentity(i), notBefore, 1);
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync('127.0.0.1:0', serverCredentials(tls, authoritiesOf(genesis)), (error, p) => (error ? reject(error) : resolve(p))),
      );
      cleanups.push(() => server.forceShutdown());
      return `127.0.0.1:${port}`;
    }),
  );
  const tls = await issue(enterpriseAuthority, enterpriseSeed, enterpriseIdentity(ENTERPRISE), notBefore, 1);
  const masters = createMasters({
    addresses,
    tls,
    genesis,
    genesisDigest: GENESIS_DIGEST,
    backoffMs: 1,
    rotateMs,
    onFault: (_master, code) => faults.push(code),
  });
  cleanups.push(() => masters.close());
  return masters;
};

const TASK = 'task/00-11';
const value = encodeCanonical({ uid: '00-11' });
const honest: Behaviour = { leaf: (key) => (key === TASK ? certified(TASK, value, 5n) : undefined) };

test('N1: one master down and one lying do not hide a certified leaf', async () => {
  const forged = { ...certified(TASK, value, 9n), value: '00' };
  const masters = await group(['down', { leaf: () => forged }, honest]);
  expect(await masters.getLeaf(TASK)).toEqual(certified(TASK, value, 5n));
});

test('a leaf certified by one master only is never returned', async () => {
  const leaf = certified(TASK, value, 5n);
  const lonely = { ...leaf, certificate: { ...leaf.certificate, votes: leaf.certificate.votes.slice(0, 1) } };
  const masters = await group([{ leaf: () => lonely }, { leaf: () => lonely }, { leaf: () => lonely }]);
  await expect(masters.getLeaf(TASK, { timeoutMs: 500 })).rejects.toThrow(MastersUnavailable);
  expect(faults).toContain('TooFewVotes');
});

test('the height of a key never goes backwards', async () => {
  let height = 8n;
  const serve: Behaviour = { leaf: (key) => certified(key, value, height) };
  const masters = await group([serve, serve, serve]);
  expect((await masters.getLeaf(TASK))?.certificate.head.height).toBe(8n);
  height = 7n;
  await expect(masters.getLeaf(TASK, { timeoutMs: 500 })).rejects.toThrow(MastersUnavailable);
});

test('N1: a master that stands still hides no news', async () => {
  const still: Behaviour = { leaf: (key) => certified(key, value, 5n) };
  const going: Behaviour = { leaf: (key) => certified(key, value, 9n) };
  const masters = await group([still, still, going], 0);
  const heights = [];
  for (let i = 0; i < 3; i += 1) heights.push((await masters.getLeaf(TASK))?.certificate.head.height);
  expect(heights[2]).toBe(9n);
});

test('absence needs two masters: one alone can hide nothing', async () => {
  const masters = await group([{}, honest, 'down']);
  expect((await masters.getLeaf(TASK))?.key).toBe(TASK);
  expect(await masters.getLeaf('task/none')).toBeUndefined();
});

const resolve = { type: 'task.resolve', uid: '00-11' } as const;
test('a refusal counts when two masters say it; a decision from any', async () => {
  const refuse: Behaviour = { submit: () => ({ code: 'UnknownTask', message: 'no such task' }) };
  const outvoted = await group([refuse, { submit: () => ({ height: 7n }) }, 'down']);
  expect(await outvoted.submit(resolve)).toEqual({ ok: true, height: 7n });
  const refused = await group([refuse, refuse, { submit: () => ({ code: 'NoLeader', message: 'wait' }) }]);
  expect(await refused.submit(resolve)).toEqual({ ok: false, code: 'UnknownTask', message: 'no such task' });
  const again = await group(['down', 'down', { submit: () => ({ code: 'AlreadyDecided', message: '' }) }]);
  expect(await again.submit(resolve)).toMatchObject({ ok: false, code: 'AlreadyDecided' });
});

describe('N1: the bare word of one master', () => {
  test('that a command is decided is asked of another one when the command comes again', async () => {
    const asked: number[] = [];
    const lies = (i: number): Behaviour => ({
      submit: () => {
        asked.push(i);
        return { height: 7n };
      },
    });
    const masters = await group([lies(0), lies(1), lies(2)]);
    for (let i = 0; i < 3; i += 1) await masters.submit(resolve);
    expect(new Set(asked)).toEqual(new Set([0, 1, 2]));
  });
  test('that it stored a blob is not enough', async () => {
    const kept = [0, 1, 2].map(() => new Map<string, Uint8Array>());
    const liar: Behaviour = {};
    const masters = await group([liar, { blobs: kept[1]! }, { blobs: kept[2]! }]);
    const blob = Uint8Array.of(1, 2, 3);
    await masters.putBlob('t', 'slice/a/b/c', blob);
    expect(kept.some((blobs) => blobs.has('slice/a/b/c'))).toBe(true);
    await expect((await group([liar, 'down', 'down'])).putBlob('t', 'slice/a/b/c', blob, { timeoutMs: 300 })).rejects.toThrow(
      MastersUnavailable,
    );
  });
  test('that a blob is this or that: asked again, another master answers', async () => {
    const named = (byte: number): Behaviour => ({ blobs: new Map([['slice/a/b/c', Uint8Array.of(byte)]]) });
    const masters = await group([named(0), named(1), named(2)]);
    const seen = new Set<number>();
    for (let i = 0; i < 3; i += 1) seen.add((await masters.getBlob('t', 'slice/a/b/c'))![0]!);
    expect(seen.size).toBe(3);
  });
});

test('a watch goes on at the next master, and never back', async () => {
  const old = certified(TASK, value, 3n);
  const fresh = certified(TASK, encodeCanonical({ uid: '00-11', state: 'new' }), 4n);
  let served = 0;
  const watch = (): readonly CertifiedLeaf[] => (served++ === 0 ? [old] : [old, fresh]);
  const masters = await group([{ watch }, { watch }, 'down']);
  const stop = new AbortController();
  cleanups.push(() => stop.abort());
  const heights: bigint[] = [];
  for await (const leaf of masters.watchTasks({ signal: stop.signal })) {
    heights.push(leaf.certificate.head.height);
    if (heights.length === 2) break;
  }
  expect(heights).toEqual([3n, 4n]);
});
