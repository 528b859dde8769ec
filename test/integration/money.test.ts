/**
 * The plugin's commands of money against the real contracts in the real Move VM (rules K2-K9, G3): what they print, what a dry run
 * leaves alone, and what each refusal says to change.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Account, Ed25519PrivateKey } from '@aptos-labs/ts-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dividendKey,
  dividendProofsJson,
  dividendTree,
  encodeDividendRoot,
  encodeGenesis,
  encodeHead,
  decideMessage,
  fromHex,
  genesisDigest,
  hex,
  MerkleMap,
  parseSym,
  sign,
  U64_MAX,
  type DividendTerms,
  type Genesis,
  type Transfer,
} from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { actorKey, masterKey, testKey } from '@scs/protocol/testing/keys.ts';
import { aptosChain } from '@scs/operator/master/settlement/aptos-chain.ts';
import { symphony, type Ran } from '../../cli/src/testing/cli.ts';
import { settledTask, submitterFolder } from '../../cli/src/testing/settled-task.ts';
import { writeKeyFolder } from '../../cli/src/keys/key-folder.ts';
import { advanceTime, startDevnet, type TestDevnet } from '../../contracts/devnet/testing/devnet.ts';
import { publishScs } from '../../contracts/publish.ts';
import { contractGenesisOf } from '../../contracts/set-up.ts';

let devnet: TestDevnet;
let folder: string;
let genesis: Genesis;
const resultKey = { publicKey: testKey('result').publicKey, seed: testKey('result').seed };
const gasKey = testKey('gas of master 0').seed;
const accountOf = (seed: string): Account => Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(fromHex(seed)) });
const gasFor = (seed: string): Promise<unknown> =>
  devnet.aptos.fundAccount({
    accountAddress: accountOf(seed).accountAddress,
    amount: 10_000_000_000,
    options: { waitForIndexer: false },
  });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-money-'));
  genesis = aGenesis({ chain: { ...aGenesis().chain, treasuryReserve: 100n, escrowDelaySeconds: 4000n, escrowWindowSeconds: 600n } });
  writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(genesis));
  devnet = await startDevnet();
  for (const seed of [testKey('publisher').seed, ...['roastery', 'alder', 'birch'].map((name) => actorKey(name).seed), gasKey])
    await gasFor(seed);
  await publishScs({ aptos: devnet.aptos, publisher: accountOf(testKey('publisher').seed), genesis: contractGenesisOf(genesis) });
  for (const name of ['roastery', 'alder', 'birch', 'cedar']) await submitterFolder(join(folder, name), name, resultKey);
});
afterAll(async () => {
  await devnet.stop();
  rmSync(folder, { recursive: true });
});

const as =
  (name: string, environment: Readonly<Record<string, string>> = {}) =>
  (...args: string[]): Promise<Ran> =>
    symphony([args[0]!, '--chain-url', `${devnet.url}/v1`, ...args.slice(1)], {
      environment: { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: join(folder, name), ...environment },
    });
type Json = Record<string, unknown>;
const jsonOf = async (ran: Promise<Ran>): Promise<Json> => {
  const { code, out, err } = await ran;
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as Json;
};
const refused = async (ran: Promise<Ran>): Promise<string> => {
  const { code, out, err } = await ran;
  expect([code, out]).toEqual([1, '']);
  return err;
};
const some = expect.stringMatching(/^\d+(\.\d+)?$/) as string;
const hash = expect.stringMatching(/^0x[0-9a-f]{64}$/) as string;
const when = expect.stringMatching(/^20\d\d-\d\d-\d\dT[0-9:.]+Z$/) as string;
const gas = { units: some, price: some, fee: some };

describe('account', () => {
  const roastery = as('roastery');
  const fresh = {
    account: actorKey('roastery').address,
    balance: '10000',
    escrow: '0',
    withdrawing: '0',
    debt: '0',
    claimable: '0',
    gas: '100',
    stakes: [],
  };
  test('K8: shows what genesis allotted, in three formats', async () => {
    expect(await jsonOf(roastery('account', '-o', 'json'))).toEqual(fresh);
    expect((await roastery('account')).out).toContain('balance      10000 SYM');
    expect((await roastery('account', '-o', 'yaml')).out).toContain('balance: "10000"');
    expect((await roastery('account', '-o', 'xml')).err).toContain('-o takes text, json, yaml, not xml.');
  });
  test('of any address, without a key', async () => {
    const ran = symphony(['account', actorKey('roastery').address, '--chain-url', `${devnet.url}/v1`, '-o', 'json'], {
      environment: { SCS_GENESIS: join(folder, 'genesis.bin') },
    });
    expect(await jsonOf(ran)).toEqual(fresh);
    expect((await roastery('account', '0x12')).code).toBe(2);
  });
  test('a node that is not there, another chain, no node at all', async () => {
    const away = await refused(
      symphony(['account', '--chain-url', 'http://127.0.0.1:1/v1'], {
        environment: { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: join(folder, 'roastery') },
      }),
    );
    expect(away).toMatch(/\(ChainUnreachable\)$/);
    writeFileSync(join(folder, 'other.bin'), encodeGenesis(aGenesis({ chain: { ...genesis.chain, chainId: 7 } })));
    expect(await refused(roastery('account', '--genesis', join(folder, 'other.bin')))).toBe(
      'The node serves chain 4; the genesis names chain 7. Give another --chain-url. (WrongChain)',
    );
    expect(await refused(roastery('account', '--chain-url', 'localhost'))).toMatch(/\(ChainUrlInvalid\)$/);
  });
});

describe('the wallet', () => {
  const environment = () => ({ SCS_GENESIS: join(folder, 'genesis.bin') });
  const account = (env: Readonly<Record<string, string>>, ...args: string[]) =>
    symphony(['account', '--chain-url', `${devnet.url}/v1`, '-o', 'json', ...args], { environment: { ...environment(), ...env } });
  test('from the environment, in both spellings', async () => {
    const { seed, address } = actorKey('birch');
    for (const spelt of [seed, `ed25519-priv-0x${seed}`])
      expect(await jsonOf(account({ SCS_WALLET_KEY: spelt }))).toMatchObject({ account: address });
  });
  test('two places are not guessed between; an option beats the environment', async () => {
    const both = { SCS_WALLET_KEY: actorKey('birch').seed, SCS_KEYS: join(folder, 'alder') };
    expect(await refused(account(both))).toMatch(/\(WalletAmbiguous\)$/);
    expect(await jsonOf(account(both, '--keys', join(folder, 'roastery')))).toMatchObject({ account: actorKey('roastery').address });
    expect((await account({}, '--keys', 'x', '--wallet-secret', 'y')).code).toBe(2);
    expect(await refused(account({}))).toMatch(/^Which account\? .*\(KeysMissing\)$/);
  });
  test('no key, and never printed', async () => {
    const err = await refused(account({ SCS_WALLET_KEY: 'hunter2' }));
    expect(err).toBe('$SCS_WALLET_KEY is not a key: expected 64 hex digits. (KeyFileInvalid)');
  });
  test('the wrong key: a folder whose secret is not its address is refused before anything is sent', async () => {
    await submitterFolder(join(folder, 'mixed'), 'alder', resultKey);
    writeFileSync(join(folder, 'mixed', 'actor.key'), actorKey('birch').seed);
    const err = await refused(as('mixed')('deposit', '1'));
    expect(err).toContain(`is not the key of ${actorKey('alder').address}`);
    expect(err).toMatch(/\(KeyMismatch\)$/);
  });
});

describe('escrow', () => {
  const roastery = as('roastery');
  test('a dry run says what would happen and its gas, and changes nothing', async () => {
    const before = await jsonOf(roastery('account', '-o', 'json'));
    expect(await jsonOf(roastery('deposit', '100.5', '--dry-run', '-o', 'json'))).toEqual({
      dryRun: true,
      transactions: [{ call: 'escrow::deposit', gas, happened: [{ event: 'Deposited', amount: '100.5', repaid: '0' }] }],
      account: before,
    });
    const { out } = await roastery('deposit', '100.5', '--dry-run');
    expect(out).toContain('would        move 100.5 SYM into the escrow');
    expect(out).toContain('transaction  none: a dry run changes nothing');
    expect(await jsonOf(roastery('account', '-o', 'json'))).toEqual(before);
  });
  test('K2: deposit, fund, ask back, too early, in time', async () => {
    expect(await jsonOf(roastery('deposit', '100', '-o', 'json'))).toEqual({
      dryRun: false,
      transactions: [{ call: 'escrow::deposit', hash, gas, happened: [{ event: 'Deposited', amount: '100', repaid: '0' }] }],
      account: {
        account: actorKey('roastery').address,
        balance: '9900',
        escrow: '100',
        withdrawing: '0',
        debt: '0',
        claimable: '0',
        gas: some,
        stakes: [],
      },
    });
    expect(await jsonOf(roastery('fund', '0.5', '-o', 'json'))).toMatchObject({ account: { balance: '9899.5', escrow: '100.5' } });
    const asked = await jsonOf(roastery('withdraw', '0.5', '-o', 'json'));
    expect(asked).toMatchObject({
      transactions: [{ happened: [{ event: 'WithdrawalRequested', amount: '0.5', ripensAt: when, expiresAt: when }] }],
      account: { escrow: '100.5', withdrawing: '0.5', ripensAt: when, expiresAt: when },
    });
    expect(await refused(roastery('withdraw', '1'))).toMatch(/^A withdrawal is under way: .*--cancel.*\(WithdrawalPending\)$/);
    expect(await refused(roastery('withdraw'))).toMatch(/^The withdrawal is not ripe yet\. .*\(WithdrawalNotRipe\)$/);
    await advanceTime(devnet.url, 4001);
    expect(await jsonOf(roastery('withdraw', '-o', 'json'))).toMatchObject({
      account: { balance: '9900', escrow: '100', withdrawing: '0' },
    });
    expect(await refused(roastery('withdraw'))).toMatch(/\(NoWithdrawal\)$/);
  });
  test('K2: a request ends by --cancel', async () => {
    await jsonOf(roastery('withdraw', '1', '-o', 'json'));
    expect(await jsonOf(roastery('withdraw', '--cancel', '-o', 'json'))).toMatchObject({ account: { withdrawing: '0' } });
    expect((await roastery('withdraw', '1', '--cancel')).code).toBe(2);
  });
  test.each([
    [['deposit', '1000000'], /^The account holds less SYM than that\. .*\(InsufficientBalance\)$/],
    [['deposit', '0'], /\(ZeroAmount\)$/],
    [['deposit', 'much'], /^much is not an amount of SYM: .*\(AmountInvalid\)$/],
    [['withdraw', '5000'], /^The escrow holds less than that\. .*\(EscrowInsufficient\)$/],
  ])('refused: %j', async (args, sentence) => {
    expect(await refused(roastery(...args))).toMatch(sentence);
    expect(await refused(roastery(...args, '--dry-run'))).toMatch(sentence);
  });
  test('no gas: says what to send where', async () => {
    expect(await refused(as('cedar')('deposit', '1'))).toBe(
      `${actorKey('cedar').address} cannot pay for the transaction. Send it some of the chain's own coin (APT on Aptos): SYM pays no gas. (GasInsufficient)`,
    );
  });
});

describe('stake', () => {
  const alder = as('alder');
  test('G3: bond, unbond, too early, bond again', async () => {
    expect(await refused(alder('stake', '10'))).toMatch(/^As what\? .*\(RoleMissing\)$/);
    expect(await jsonOf(alder('stake', '10', '--role', 'enterprise', '-o', 'json'))).toMatchObject({
      transactions: [{ call: 'staking::stake', happened: [{ event: 'Staked', role: 'enterprise', amount: '10' }] }],
      account: { stakes: [{ role: 'enterprise', bonded: '10', since: when, unbonding: '0', offences: 0, expelled: false }] },
    });
    expect(await refused(alder('unstake', '11', '--role', 'enterprise'))).toMatch(/\(StakeInsufficient\)$/);
    expect(await jsonOf(alder('unstake', '4', '--role', 'enterprise', '-o', 'json'))).toMatchObject({
      account: { stakes: [{ bonded: '6', unbonding: '4', ripensAt: when }] },
    });
    expect(await refused(alder('unstake', '--role', 'enterprise'))).toMatch(/\(UnbondNotRipe\)$/);
    expect(await jsonOf(alder('unstake', '--cancel', '--role', 'enterprise', '-o', 'json'))).toMatchObject({
      account: { stakes: [{ bonded: '10', unbonding: '0' }] },
    });
    expect(await refused(alder('unstake', '--role', 'enterprise'))).toMatch(/\(NoUnbond\)$/);
    expect((await alder('stake', '1', '--role', 'king')).code).toBe(2);
  });
  test('G3: a master agrees by its durable key', async () => {
    const { publicKey, address, seed } = masterKey(1);
    const keys = join(folder, 'master-1');
    await writeKeyFolder(keys, {
      public: { kind: 'master', name: 'master-1', publicKey, address, gasAddress: accountOf(gasKey).accountAddress.toStringLong() },
      secrets: { 'durable.key': seed, 'gas.key': gasKey },
    });
    expect(await refused(alder('stake', '3', '--role', 'master'))).toMatch(/\(MasterKeysMissing\)$/);
    expect(await jsonOf(alder('stake', '3', '--role', 'master', '--master-keys', keys, '-o', 'json'))).toMatchObject({
      account: { stakes: [{ role: 'master', bonded: '3' }, { role: 'enterprise' }] },
    });
    expect(await refused(as('birch')('stake', '3', '--role', 'master', '--master-keys', keys))).toMatch(/\(MasterTaken\)$/);
    expect(await jsonOf(as('master-1')('account', '-o', 'json'))).toMatchObject({
      account: accountOf(gasKey).accountAddress.toStringLong(),
    });
  });
});

/** A leaf of the state that two masters of the genesis certified, as the contract takes it. */
const certified = (key: string, value: Uint8Array): Uint8Array[][] | unknown[] => {
  const state = MerkleMap.empty.set('meta', new Uint8Array(3)).set(key, value);
  const head = { genesis: genesisDigest(genesis), generation: 0n, height: 900n, stateRoot: hex(state.root()), block: '00'.repeat(32) };
  const signatures = [0, 2].map((i) => fromHex(sign(masterKey(i).seed, decideMessage(head))));
  return [encodeHead(head), Uint8Array.of(0, 2), signatures, value, state.prove(key)?.siblings ?? []];
};
const publishRoot = async (number: bigint, shares: readonly Transfer[], terms?: DividendTerms) => {
  const tree = dividendTree(number, shares, terms);
  const publisher = accountOf(testKey('publisher').seed);
  const transaction = await devnet.aptos.transaction.build.simple({
    sender: publisher.accountAddress,
    data: {
      function: `${genesis.chain.contract}::dividends::publish`,
      functionArguments: certified(dividendKey(number), encodeDividendRoot(tree.root)) as never,
    },
  });
  const { hash: transactionHash } = await devnet.aptos.signAndSubmitTransaction({ signer: publisher, transaction });
  await devnet.aptos.waitForTransaction({ transactionHash });
  return tree;
};

describe('rewards and dividends', () => {
  const alder = as('alder');
  const proofsFile = (name: string, content: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(content));
    return path;
  };
  const alders = actorKey('alder').address;
  const share = (account: string, amount: string): Transfer => ({ account, amount: parseSym(amount) });

  test('nothing to claim', async () => {
    expect(await refused(alder('claim'))).toBe(
      `${alders} has no rewards to claim. Dividends need their proofs: --dividends FILE, from your Vault. (NothingToClaim)`,
    );
  });
  test('K3: after a settlement, what was earned is shown, funded or owed, and claimed once', async () => {
    const chain = aptosChain({
      url: `${devnet.url}/v1`,
      chainId: genesis.chain.chainId,
      contract: genesis.chain.contract,
      genesis: genesisDigest(genesis),
      gasKey,
    });
    await settledTask({
      genesis,
      land: async (leaf) => {
        const { txHash, version } = await chain.settle({ leaf });
        return { transaction: txHash, version };
      },
    });
    const shown = await jsonOf(alder('rewards', '-o', 'json'));
    expect(shown).toEqual({
      account: alders,
      claimable: some,
      funded: shown['claimable'],
      owed: '0',
      dividends: { pot: some, promised: '0', next: some, owed: '0' },
    });
    expect(Number(shown['claimable'])).toBeGreaterThan(0);
    const dry = await jsonOf(alder('claim', '--dry-run', '-o', 'json'));
    expect(dry).toMatchObject({ dryRun: true, transactions: [{ happened: [{ event: 'RewardClaimed', amount: shown['claimable'] }] }] });
    expect(await jsonOf(alder('claim', '-o', 'json'))).toMatchObject({
      transactions: [{ call: 'rewards::claim', hash }],
      account: { claimable: '0' },
    });
    expect(await refused(alder('claim'))).toMatch(/\(NothingToClaim\)$/);
  });

  test('K5, K6: many proofs in one call; half without a stake; each once', async () => {
    const first = await publishRoot(1n, [share(alders, '0.02'), share(actorKey('birch').address, '0.03')]);
    const second = await publishRoot(2n, [share(actorKey('birch').address, '0.01'), share(alders, '0.04')], {
      least: parseSym('5'),
      since: 1n,
      expiresAt: U64_MAX,
    });
    const unpublished = dividendTree(3n, [share(alders, '1')]);
    const file = proofsFile(
      'alder.json',
      dividendProofsJson({ account: alders, claims: [first.claim(0), second.claim(1), unpublished.claim(0)] }),
    );
    expect((await jsonOf(alder('rewards', '--dividends', file, '-o', 'json')))['dividends']).toMatchObject({
      promised: '0.1',
      claimable: '0.04',
      proofs: [
        { number: '1', index: 0, amount: '0.02', pays: '0.02', state: 'claimable' },
        { number: '2', index: 1, amount: '0.04', pays: '0.02', state: 'claimable' },
        { number: '3', index: 0, amount: '1', pays: '0', state: 'not published' },
      ],
    });
    expect((await alder('rewards', '--dividends', file)).out).toMatch(/^3 +0 +1 +0 +not published$/m);
    expect(await jsonOf(alder('claim', '--dividends', file, '-o', 'json'))).toMatchObject({
      transactions: [{ call: 'dividends::claim', hash, happened: [{ event: 'DividendClaimed', amount: '0.04', withheld: '0.02' }] }],
    });
    expect(await refused(alder('claim', '--dividends', file))).toMatch(/of 3 dividends in the file none is open.*\(NothingToClaim\)$/);
  });
  test('K6: more proofs than one transaction takes', async () => {
    const shares = Array.from({ length: 130 }, () => share(actorKey('birch').address, '0.00000001'));
    const tree = await publishRoot(4n, shares);
    const file = proofsFile(
      'birch.json',
      dividendProofsJson({ account: actorKey('birch').address, claims: shares.map((_, i) => tree.claim(i)) }),
    );
    const { transactions } = (await jsonOf(as('birch')('claim', '--dividends', file, '-o', 'json'))) as { transactions: Json[] };
    expect(transactions.filter(({ call }) => call === 'dividends::claim')).toHaveLength(3);
  });
  test("another's proofs, altered proofs, no proofs", async () => {
    const tree = await publishRoot(5n, [share(alders, '0.001')]);
    const proofs = dividendProofsJson({ account: alders, claims: [tree.claim(0)] });
    const file = proofsFile('again.json', proofs);
    expect(await refused(as('birch')('claim', '--dividends', file))).toMatch(/\(DividendsOfAnother\)$/);
    const altered = proofsFile('altered.json', { ...proofs, claims: [{ ...proofs.claims[0]!, amount: '200000' }] });
    expect(await refused(alder('claim', '--dividends', altered))).toMatch(
      /^The proof of leaf 0 under root 5: proof does not fit\. .*\(DividendProofInvalid\)$/,
    );
    const broken = proofsFile('broken.json', { ...proofs, claims: [{ ...proofs.claims[0]!, amount: -1 }] });
    expect(await refused(alder('claim', '--dividends', broken))).toMatch(/claims\[0\]\.amount[^]*\(DividendFileInvalid\)$/);
    mkdirSync(join(folder, 'empty'));
    expect(await refused(alder('claim', '--dividends', join(folder, 'empty', 'none.json')))).toMatch(/\(FileMissing\)$/);
  });
});

describe('supply', () => {
  const supply = (...args: string[]) => as('roastery', { SCS_KEYS: '' })('supply', ...args);
  test('K9: every part at one version; the checks hold', async () => {
    const shown = (await jsonOf(supply('-o', 'json'))) as {
      parts: Record<string, string>;
      total: string;
      checks: { name: string; holds: boolean }[];
    };
    expect(shown).toMatchObject({ ledgerVersion: some, time: when, minted: '0', debts: some, owed: { rewards: some, dividends: some } });
    expect(Object.keys(shown)).toEqual(['ledgerVersion', 'time', 'total', 'genesis', 'minted', 'due', 'parts', 'debts', 'owed', 'checks']);
    expect(Object.keys(shown.parts)).toEqual(['accounts', 'escrow', 'staking', 'rewards', 'reserve', 'dividends', 'bootstrap']);
    const sum = Object.values(shown.parts).reduce((total, part) => total + parseSym(part), 0n);
    expect(sum).toBe(parseSym(shown.total));
    expect(shown.checks.map(({ name, holds }) => [name, holds])).toEqual([
      ['genesis', true],
      ['minted', true],
      ['parts', true],
      ['stores', true],
      ['rewards', true],
      ['dividends', true],
    ]);
    expect((await supply()).out).toMatch(/^ok +minted +total = genesis \+ minted/m);
  });
  test("K9: another group's genesis does not fit: exit code 1, the line that fails", async () => {
    const other = join(folder, 'more.bin');
    writeFileSync(other, encodeGenesis({ ...genesis, chain: { ...genesis.chain, treasuryReserve: 101n } }));
    const { code, out, err } = await supply('--genesis', other);
    expect([code, err]).toEqual([1, '1 of 6 checks failed: genesis. (SupplyInconsistent)']);
    expect(out).toMatch(/^FAIL +genesis/m);
  });
});

test('the help of each command names its options', async () => {
  for (const word of ['account', 'deposit', 'fund', 'withdraw', 'stake', 'unstake', 'rewards', 'claim', 'settlement', 'supply']) {
    const { code, out } = await as('roastery')(word, '--help');
    expect([code, out.includes('--chain-url'), out.includes('-o, --output')]).toEqual([0, true, true]);
  }
  expect(readFileSync(join(import.meta.dirname, '../../docs/money.md'), 'utf8')).toContain('`supply`');
});
