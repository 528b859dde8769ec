/** G5, B2: `kubectl symphony approve` and `decide` with the keys that keygen made, over mutual TLS, to masters that apply the rules. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { Server, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apply, decodeCommand, decodeGenesis, genesisDigest, initialState, type Genesis } from '@scs/protocol';
import { Masters, serviceDefinition, SubmitReplySchema, type SubmitRequest } from '@scs/proto';
import { authoritiesOf, serverCredentials } from '@scs/proto/tls.ts';
import { symphony } from '../../cli/src/testing/cli.ts';
import { genesisOf, keyGroup } from '../../cli/src/testing/key-group.ts';

let folder: string;
let genesisFile: string;
let genesis: Genesis;
const servers: Server[] = [];
let addresses: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-approve-'));
  genesisFile = await genesisOf(await keyGroup(folder));
  genesis = decodeGenesis(readFileSync(genesisFile));
  const ports = await Promise.all([0, 1, 2].map(master));
  addresses = ports.map((port) => `127.0.0.1:${port}`).join(',');
}, 60_000);
afterAll(() => {
  for (const server of servers) server.forceShutdown();
  rmSync(folder, { recursive: true });
});
const keys = (name: string): string => join(folder, 'keys', name);

/** Judges each command by the rules at height 0. */
const master = async (index: number): Promise<number> => {
  const server = new Server();
  servers.push(server);
  server.addService(serviceDefinition(Masters), {
    submit: (call: ServerUnaryCall<SubmitRequest, unknown>, reply: sendUnaryData<unknown>) => {
      const context = { genesis, genesisDigest: genesisDigest(genesis), time: genesis.time, height: 1n };
      const applied = apply(initialState(genesis), decodeCommand(call.request.command), context);
      reply(null, create(SubmitReplySchema, applied.ok ? { height: 1n } : applied.fault));
    },
  });
  const pem = (file: string): string => readFileSync(join(keys(`master-${index}`), file), 'utf8');
  const tls = serverCredentials({ certificatePem: pem('tls.crt'), keyPem: pem('tls.key') }, authoritiesOf(genesis));
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, port) => (error ? reject(error) : resolve(port)));
  });
};

const run = (...args: string[]) => symphony(args, { environment: { SCS_GENESIS: genesisFile } });
const approved = async (epoch: number, ...masters: readonly string[]): Promise<string> => {
  const file = join(folder, `statement-${epoch}-${masters.length}.yaml`);
  writeFileSync(file, `type: budget.replenish\nstatement: { usage: marketing, epoch: ${epoch} }\n`);
  for (const name of masters) {
    const { code, out, err } = await run('approve', '-f', file, '--keys', keys(name));
    if (code !== 0) throw new Error(err);
    writeFileSync(file, out);
  }
  return file;
};
const decide = (file: string, by: string) => run('decide', '-f', file, '--keys', keys(by), '--masters', addresses);

test.each(['master-2', 'enterprise-birch'])('G5: approved by two, brought by %s, decided', async (by) => {
  expect(await decide(await approved(0, 'master-0', 'master-1'), by)).toMatchObject({ code: 0, out: 'decided at height 1' });
});
test('one approval is not brought at all', async () => {
  const { code, err } = await decide(await approved(0, 'master-0'), 'master-0');
  expect([code, err]).toEqual([1, expect.stringContaining('ApprovalsMissing')]);
});
test('what the masters refuse is said by its code', async () => {
  const { code, err } = await decide(await approved(5, 'master-0', 'master-2'), 'master-0');
  expect([code, err]).toEqual([1, expect.stringContaining('NotDue')]);
});
test("a key that is no master's approves nothing", async () => {
  const file = await approved(0);
  const { code, err } = await run('approve', '-f', file, '--keys', keys('enterprise-alder'));
  expect([code, err]).toEqual([1, expect.stringContaining('durable.key')]);
});
