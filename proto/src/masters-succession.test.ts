/** P5, N1: a client learns of a committee that governance appointed from whoever shows its work, and believes nobody's bare word. */
import { afterEach, expect, test } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { Server, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import {
  applyBlock,
  committeeOf,
  encodeSuccession,
  genesisDigest,
  hex,
  initialState,
  succeeded,
  type Block,
  type CertifiedLeaf,
  type Genesis,
  type State,
  type Succession,
} from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { certificateOf, replacementCommand, replacementLink } from '@scs/protocol/testing/replacement.ts';
import { createAuthority, issue } from './authority.ts';
import { leafToWire } from './certified-leaf.ts';
import { CertifiedLeafSchema, Masters as MastersService, SuccessionReplySchema } from './gen/scs/v1/masters_pb.ts';
import { serviceDefinition } from './grpc.ts';
import { createMasters, type Masters } from './masters-client.ts';
import { longerSuccession } from './succession.ts';
import { authoritiesOf, masterIdentity, serverCredentials } from './tls.ts';

const notBefore = new Date(Date.now() - 3_600_000);
const cleanups: (() => void)[] = [];
/** Of the last group, in order of index. */
let shut: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Masters 0, 1, 2 with real authorities; then master 1 with key 7 and an authority of its own. */
const story = async (): Promise<{ before: Genesis; links: Succession; leaf: CertifiedLeaf }> => {
  const authorityOf = async (key: number, master: number) =>
    (await createAuthority(masterKey(key).seed, masterIdentity(master), notBefore, 1)).certificatePem;
  const base = aGenesis();
  const masters = await Promise.all(base.masters.map(async (m, i) => ({ ...m, tlsAuthority: await authorityOf(i, i) })));
  const before = { ...base, masters };
  const digest = genesisDigest(before);
  const blockOn = (
    state: State,
    genesis: Genesis,
    time: number,
    commands: Block['commands'],
    by: readonly (readonly [number, number])[],
  ) => {
    const { height, block: parent } = state.must('meta');
    const block = { height: height + 1n, generation: committeeOf(genesis).generation, parent, time, proposer: 0, commands };
    const applied = applyBlock(state, block, { genesis, genesisDigest: digest });
    if (!applied.ok) throw new Error(applied.fault.message);
    return { state: applied.state, certificate: certificateOf(block, digest, applied.state, by) };
  };
  const command = replacementCommand(digest, { master: 1, key: 7, terms: { tlsAuthority: await authorityOf(7, 1) } });
  const approved = blockOn(initialState(before), before, base.time, [command], [[0, 0], [1, 1]]); // prettier-ignore
  const end = blockOn(approved.state, before, base.time + base.policy.epoch.lengthMs, [{ type: 'tick' }], [[0, 0], [1, 1]]); // prettier-ignore
  const links = [replacementLink(end.state, end.certificate)];
  const first = blockOn(end.state, succeeded(before, links), base.time + base.policy.epoch.lengthMs, [], [[1, 7], [2, 2]]); // prettier-ignore
  const key = 'meta/';
  const leaf = {
    key,
    value: hex(first.state.map.get(key)!),
    siblings: first.state.map.prove(key)!.siblings.map(hex),
    certificate: first.certificate,
  };
  return { before, links, leaf };
};

/** Masters of today, who serve that leaf and these links; the client has the genesis of before. */
const group = async (before: Genesis, today: Genesis, leaf: CertifiedLeaf, links: Uint8Array, up = [0, 1, 2]): Promise<Masters> => {
  shut = [];
  const keys = today.masters.map(({ publicKey }) => [0, 1, 2, 7].find((n) => masterKey(n).publicKey === publicKey)!);
  const addresses = await Promise.all(
    keys.map(async (key, i) => {
      if (!up.includes(i)) return '127.0.0.1:1';
      const server = new Server();
      server.addService(serviceDefinition(MastersService), {
        getLeaf: (_: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) =>
          reply(null, create(CertifiedLeafSchema, leafToWire(leaf))),
        succession: (_: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) =>
          links.length > 0 ? reply(null, create(SuccessionReplySchema, { links })) : reply({ code: status.UNIMPLEMENTED }),
      });
      const identity = masterIdentity(i);
      const { seed } = masterKey(key);
      const tls = await issue(await createAuthority(seed, identity, notBefore, 1), seed, identity, notBefore, 1);
      const port = await new Promise<number>((resolve, reject) =>
        server.bindAsync('127.0.0.1:0', serverCredentials(tls, authoritiesOf(today)), (error, p) => (error ? reject(error) : resolve(p))),
      );
      shut[i] = () => server.forceShutdown();
      cleanups.push(() => server.forceShutdown());
      return `127.0.0.1:${port}`;
    }),
  );
  const { seed } = masterKey(2);
  const tls = await issue(await createAuthority(seed, masterIdentity(2), notBefore, 1), seed, masterIdentity(2), notBefore, 1);
  const masters = createMasters({ addresses, tls, genesis: before, genesisDigest: genesisDigest(before), backoffMs: 1 });
  cleanups.push(() => masters.close());
  return masters;
};

test('a leaf by the next committee is believed, with the links of whoever serves it; then the new master is reached, too', async () => {
  const { before, links, leaf } = await story();
  const today = succeeded(before, links);
  const masters = await group(before, today, leaf, encodeSuccession(links));
  expect(await masters.getLeaf(leaf.key)).toEqual(leaf);
  shut[0]?.();
  shut[2]?.();
  expect(await masters.getLeaf(leaf.key)).toEqual(leaf); // by the new master, whose authority it has learnt
  const alone = await group(before, today, leaf, encodeSuccession(links), [1]);
  // it knows master 1 by its old authority, and nobody else is there to tell it better
  await expect(alone.getLeaf(leaf.key, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'MastersUnavailable' });
});

test.each<[string, (links: Succession) => Uint8Array]>([
  ['no links', () => new Uint8Array()],
  ['an empty succession', () => encodeSuccession([])],
  ['bytes that are none', () => Buffer.from('{')],
  ['a link that does not hold', ([link]) => encodeSuccession([{ ...link!, path: [] } as never])],
])('who shows a certificate of a later generation and %s is not believed', async (_what, told) => {
  const { before, links, leaf } = await story();
  const masters = await group(before, succeeded(before, links), leaf, told(links));
  await expect(masters.getLeaf(leaf.key, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'MastersUnavailable' });
});

test('N9: a recovery is never learnt from masters; known links come first', async () => {
  const { before, links } = await story();
  const today = succeeded(before, links);
  const recovery = { claim: { genesis: genesisDigest(before), round: 1n, generation: 2n, height: 9n, stateRoot: 'ab'.repeat(32), keys: today.masters.map((m) => m.publicKey) }, signatures: [], seats: [] }; // prettier-ignore
  expect(longerSuccession(today, encodeSuccession([...links, recovery]))).toBeUndefined();
  expect(longerSuccession(today, encodeSuccession(links))).toBeUndefined();
  expect(committeeOf(longerSuccession(before, encodeSuccession(links))!)).toEqual(committeeOf(today));
});
