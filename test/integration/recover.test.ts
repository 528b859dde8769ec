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
  await done('sign', '-f', file, '--keys', at('recovery-2'));
  expect(await refused('open', '-f', file, ...chain())).toContain('Two of the three recovery keys');
  expect(await done('sign', '-f', file, '--keys', at('recovery-0'))).toContain('keys 0 and 2');
  expect(await done('open', '-f', file, '--dry-run', ...chain())).toContain('a dry run changes nothing');
  await done('open', '-f', file, ...chain());
  expect(await done('status', ...chain())).toContain('to generation 1 above height 41');
  expect(await refused('complete', ...chain())).toContain('E_RECOVERY_NOT_RIPE');
  expect(await refused('finish', '-f', file, '--out', at('genesis-1.bin'), ...chain())).toContain('not yet in this recovery');
  await advanceTime(devnet.url, 3 * Number(genesis.chain.escrowDelaySeconds));
  await done('complete', ...chain());
  await done('finish', '-f', file, '--out', at('genesis-1.bin'), ...chain());

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
  expect(await refused('sign', '-f', at('recovery.json'), '--keys', at('stranger'))).toContain('none of the recovery keys');
});
