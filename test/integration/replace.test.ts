/** G5, P5: `kubectl symphony replace`, from the new key to the file that goes on, over mutual TLS, to masters that apply the rules. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Server, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  applyBlock,
  committeeOf,
  decideMessage,
  decodeCommand,
  decodeGenesisFile,
  encodeSuccession,
  genesisDigest,
  headOf,
  hex,
  initialState,
  sign,
  type Block,
  type Genesis,
  type State,
} from '@scs/protocol';
import { Masters, serviceDefinition, SubmitReplySchema, SuccessionReplySchema, type SubmitRequest } from '@scs/proto';
import { authoritiesOf, serverCredentials } from '@scs/proto/tls.ts';
import { replacementLink } from '@scs/protocol/testing/replacement.ts';
import { symphony } from '../../cli/src/testing/cli.ts';
import { genesisOf, keyGroup } from '../../cli/src/testing/key-group.ts';

let folder: string;
let genesisFile: string;
let genesis: Genesis;
let state: State;
let links = encodeSuccession([]);
let addresses: string;
const servers: Server[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-replace-'));
  genesisFile = await genesisOf(await keyGroup(folder));
  genesis = decodeGenesisFile(readFileSync(genesisFile));
  state = initialState(genesis);
  mkdirSync(join(folder, 'new'));
  await run('keygen', 'master', '1', '--out', join(folder, 'new'));
  addresses = (await Promise.all([0, 1, 2].map(master))).map((port) => `127.0.0.1:${port}`).join(',');
}, 60_000);
afterAll(() => {
  for (const server of servers) server.forceShutdown();
  rmSync(folder, { recursive: true });
});
const keys = (name: string): string => join(folder, 'keys', name);
const run = (...args: string[]) => symphony(args, { environment: { SCS_GENESIS: genesisFile } });

const apply = (time: number, ...commands: Block['commands']) => {
  const { height, block: parent } = state.must('meta');
  const block = { height: height + 1n, generation: 0n, parent, time, proposer: 0, commands };
  const applied = applyBlock(state, block, { genesis, genesisDigest: genesisDigest(genesis) });
  if (applied.ok) ({ state } = applied);
  return { block, applied };
};
const master = async (index: number): Promise<number> => {
  const server = new Server();
  servers.push(server);
  server.addService(serviceDefinition(Masters), {
    submit: (call: ServerUnaryCall<SubmitRequest, unknown>, reply: sendUnaryData<unknown>) => {
      const { applied } = apply(genesis.time, decodeCommand(call.request.command));
      reply(null, create(SubmitReplySchema, applied.ok ? { height: state.must('meta').height } : applied.fault));
    },
    succession: (_: unknown, reply: sendUnaryData<unknown>) => reply(null, create(SuccessionReplySchema, { links })),
  });
  const pem = (file: string): string => readFileSync(join(keys(`master-${index}`), file), 'utf8');
  const tls = serverCredentials({ certificatePem: pem('tls.crt'), keyPem: pem('tls.key') }, authoritiesOf(genesis));
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, port) => (error ? reject(error) : resolve(port)));
  });
};
/** The epoch ends, and two masters certify the block. */
const endEpoch = (): void => {
  const { block } = apply(genesis.time + genesis.policy.epoch.lengthMs, { type: 'tick' });
  const head = headOf(block, genesisDigest(genesis), hex(state.root()));
  const votes = [0, 2].map((index) => {
    const seed = readFileSync(join(keys(`master-${index}`), 'durable.key'), 'utf8').trim();
    return { master: index, signature: sign(seed, decideMessage(head)) };
  });
  links = encodeSuccession([replacementLink(state, { head, votes })]);
};

const at = (name: string): string => join(folder, name);
const proposal = async (): Promise<string> => {
  const { code, out, err } = await run('replace', 'propose', '--master', '1', '--keys', at('new/master-1'));
  expect([code, err]).toEqual([0, '']);
  const file = at('replace.json');
  writeFileSync(file, out);
  return file;
};
const finish = (out = at('genesis-1.bin')) => run('replace', 'finish', '--masters', addresses, '--keys', keys('master-2'), '--out', out);

test('from the new key to the file that goes on', async () => {
  const file = await proposal();
  for (const name of ['master-0', 'master-2']) {
    const { code, out, err } = await run('approve', '-f', file, '--keys', keys(name));
    expect([code, err]).toEqual([0, '']);
    writeFileSync(file, out);
  }
  expect(await finish()).toMatchObject({ code: 1, err: expect.stringContaining('NotHandedOver') });
  const decided = await run('decide', '-f', file, '--keys', keys('master-0'), '--masters', addresses);
  expect(decided).toMatchObject({ code: 0, out: 'decided at height 1' });
  endEpoch();
  const { code, out } = await finish();
  expect([code, out]).toEqual([0, expect.stringContaining('generation 1 begins above height 2')]);
  const now = decodeGenesisFile(readFileSync(at('genesis-1.bin')));
  expect(genesisDigest(now)).toBe(genesisDigest(genesis));
  const added = JSON.parse(readFileSync(at('new/master-1/public.json'), 'utf8')) as { publicKey: string };
  expect(committeeOf(now).keys).toEqual(genesis.masters.map((m) => m.publicKey).with(1, added.publicKey));
});
test('a master of today takes no second seat, and there is no fourth', async () => {
  const { code, err } = await run('replace', 'propose', '--master', '1', '--keys', keys('master-0'));
  expect([code, err]).toEqual([1, expect.stringContaining('WrongKey')]);
  expect(await run('replace', 'propose', '--master', '3', '--keys', at('new/master-1'))).toMatchObject({ code: 2 });
});
test('links that nobody certified make no file', async () => {
  links = Buffer.from('[{}]');
  expect(await finish(at('none.bin'))).toMatchObject({ code: 1, err: expect.stringContaining('NotHandedOver') });
});
