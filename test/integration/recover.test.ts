/** N9: the runbook of a recovery by the plugin, against the real contracts: claim, two signatures made apart, delay, the next genesis file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  committeeOf,
  decideMessage,
  decodeGenesisFile,
  encodeGenesis,
  encodeLogged,
  genesisDigest,
  sign,
  type Block,
  type Certificate,
} from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { masterKey, testKey } from '@scs/protocol/testing/keys.ts';
import { symphony, type Ran } from '../../cli/src/testing/cli.ts';
import { writeKeyFolder } from '../../cli/src/keys/key-folder.ts';
import { advanceTime, startDevnet, type TestDevnet } from '../../contracts/devnet/testing/devnet.ts';
import { setUp } from '../../contracts/set-up.ts';

const recovery = [0, 1, 2].map((i) => testKey(`recovery of the test ${i}`));
const genesis = { ...aGenesis(), recoveryKeys: recovery.map((k) => k.publicKey) };
const group = genesisDigest(genesis);
const publisherKey = testKey('publisher').seed;

let devnet: TestDevnet;
let folder: string;
const at = (name: string): string => join(folder, name);
const run = async (...args: string[]): Promise<Ran> =>
  symphony(['recover', args[0]!, ...args.slice(1)], { environment: { SCS_GENESIS: at('genesis.bin'), SCS_WALLET_KEY: publisherKey } });
const chain = (): readonly string[] => ['--chain-url', `${devnet.url}/v1`];
const done = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await run(...args);
  expect([code, err]).toEqual([0, '']);
  return out;
};
const refused = async (...args: string[]): Promise<string> => {
  const { code, err } = await run(...args);
  expect(code).toBe(1);
  return err;
};
const logOf = (height: bigint, votes: readonly number[]): string => {
  const block: Block = { height, generation: 0n, parent: 'cd'.repeat(32), time: 1, proposer: 0, commands: [] };
  const head = { genesis: group, generation: 0n, height, stateRoot: 'ab'.repeat(32), block: 'ef'.repeat(32) };
  const certificate: Certificate = {
    head,
    votes: votes.map((i) => ({ master: i, signature: sign(masterKey(i).seed, decideMessage(head)) })),
  };
  return `${new TextDecoder().decode(encodeLogged({ block, certificate }))}\n`;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-recover-'));
  writeFileSync(at('genesis.bin'), encodeGenesis(genesis));
  for (const [i, { seed, publicKey, address }] of recovery.entries())
    await writeKeyFolder(at(`recovery-${i}`), {
      public: { kind: 'recovery', name: `${i}`, publicKey, address },
      secrets: { 'recovery.key': seed },
    });
  await symphony(['keygen', 'master', '1', '--out', folder]);
  writeFileSync(at('log'), logOf(41n, [0, 2]));
  devnet = await startDevnet();
  await setUp({ chainUrl: `${devnet.url}/v1`, genesis, publisherKey, devnet: true });
});
afterAll(async () => {
  await devnet.stop();
  rmSync(folder, { recursive: true });
});

test('two recovery keys appoint the next generation, after the delay and no earlier; the genesis file goes on, its digest stays', async () => {
  const file = at('recovery.json');
  expect(await done('claim', '--log', at('log'), '--out', file, '--replace', `1=${at('master-1')}`, ...chain())).toContain(
    'above height 41',
  );
  expect(await refused('sign', '-f', file, '--keys', at('recovery-2'))).toContain('Nothing is signed');
  expect(await done('sign', '-f', file, '--keys', at('recovery-2'), '--yes')).toMatch(
    /above height 41.*master 0 .*as before.*master 1 .*NEW.*nobody yet/s,
  );
  expect(await refused('open', '-f', file, ...chain())).toContain('Two of the three recovery keys');
  expect(await done('sign', '-f', file, '--keys', at('recovery-0'), '--yes')).toContain('keys 0 and 2');
  expect(await done('open', '-f', file, '--dry-run', ...chain())).toContain('a dry run changes nothing');
  await done('open', '-f', file, ...chain());
  expect(await done('status', ...chain())).toContain('to generation 1 above height 41');
  expect(await refused('complete', ...chain())).toContain('E_RECOVERY_NOT_RIPE');
  expect(await refused('finish', '-f', file, '--out', at('genesis-1.bin'), '--one-node', ...chain())).toContain('not yet in this recovery');
  expect((await run('finish', '-f', file, '--out', at('genesis-1.bin'), ...chain())).code).toBe(2);
  await advanceTime(devnet.url, 3 * Number(genesis.chain.escrowDelaySeconds));
  await done('complete', ...chain());
  await done(
    'finish',
    '-f',
    file,
    '--out',
    at('genesis-1.bin'),
    '--second-url',
    `${devnet.url.replace('127.0.0.1', 'localhost')}/v1`,
    ...chain(),
  );

  const next = decodeGenesisFile(readFileSync(at('genesis-1.bin')));
  const own = JSON.parse(readFileSync(at('master-1/public.json'), 'utf8')) as {
    publicKey: string;
    tlsAuthority: string;
    gasAddress: string;
  };
  expect([genesisDigest(next), committeeOf(next).generation, committeeOf(next).base?.height]).toEqual([group, 1n, 41n]);
  expect(next.masters[1]).toEqual({ publicKey: own.publicKey, tlsAuthority: own.tlsAuthority, rewardAddress: own.gasAddress });
  // the next recovery starts from the file that this one made
  expect(await refused('claim', '--log', at('log'), '--out', at('again'), ...chain())).toContain('the genesis file in 0');
  writeFileSync(at('genesis.bin'), readFileSync(at('genesis-1.bin')));
  expect(await done('claim', '--log', at('log'), '--out', at('again'), ...chain())).toContain('generation 2');
});

test('a block above the height that was claimed ends a recovery, by whoever has it; one that is no higher does not', async () => {
  const file = at('low.json');
  const cancel = (log: string, ...more: string[]): Promise<Ran> => run('cancel', '--log', at(log), ...more, ...chain());
  const certified = (generation: bigint, height: bigint): string => {
    const head = { genesis: group, generation, height, stateRoot: 'ab'.repeat(32), block: 'ef'.repeat(32) };
    const votes = [0, 2].map((i) => ({ master: i, signature: sign(masterKey(i).seed, decideMessage(head)) }));
    const block: Block = { height, generation, parent: 'cd'.repeat(32), time: 1, proposer: 0, commands: [] };
    return `${new TextDecoder().decode(encodeLogged({ block, certificate: { head, votes } }))}\n`;
  };
  for (const height of [50n, 60n]) writeFileSync(at(`log-${height}`), certified(1n, height));
  expect(await cancel('log-60')).toMatchObject({ code: 1, err: expect.stringContaining('nothing to end') });
  await done('claim', '--log', at('log-50'), '--out', file, ...chain());
  for (const key of ['recovery-0', 'recovery-1']) await done('sign', '-f', file, '--keys', at(key), '--yes');
  await done('open', '-f', file, ...chain());
  expect(await cancel('log-50')).toMatchObject({ code: 1, err: expect.stringContaining('does not speak against it') });
  expect(await cancel('log-60')).toMatchObject({ code: 0 });
  expect(await done('status', ...chain())).toContain('none under way');
});

test('a log that two masters did not certify, another key, another file: each is refused before anything is sent', async () => {
  writeFileSync(at('one-vote'), logOf(50n, [1]));
  expect(await refused('claim', '--log', at('one-vote'), '--out', at('x'), ...chain())).toContain('is not certified');
  writeFileSync(at('rubbish'), 'no log\n');
  expect(await refused('claim', '--log', at('rubbish'), '--out', at('x'), ...chain())).toContain('no block of a log');
  expect(await refused('claim', '--log', at('log'), '--out', at('x'), '--replace', `1=${at('recovery-0')}`, ...chain())).toContain(
    'not the key folder of a master',
  );
  expect(await refused('sign', '-f', at('rubbish'), '--keys', at('recovery-0'))).toContain('is not a recovery file');
  await writeKeyFolder(at('stranger'), {
    public: { kind: 'recovery', name: 'x', publicKey: testKey('x').publicKey, address: testKey('x').address },
    secrets: { 'recovery.key': testKey('x').seed },
  });
  expect(await refused('sign', '-f', at('recovery.json'), '--keys', at('stranger'), '--yes')).toContain('none of the recovery keys');
});
