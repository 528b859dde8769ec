/** The port `Chain` over the unmodified Aptos SDK, the real contracts in the real Move VM, and a network that fails. */
import { createServer, request as forward } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Account, Ed25519PrivateKey } from '@aptos-labs/ts-sdk';
import type { Aptos } from '@aptos-labs/ts-sdk';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { call, fundedAccount, startDevnet } from '../../contracts/devnet/testing/devnet.ts';
import type { TestDevnet } from '../../contracts/devnet/testing/devnet.ts';
import { checkContracts, ContractsError, publishScs } from '../../contracts/publish.ts';
import type { ContractGenesis } from '../../contracts/publish.ts';
import { aptosChain } from '../../operator/src/master/settlement/aptos-chain.ts';
import {
  batchOf,
  certified,
  certifiedBatch,
  contractCommittee,
  contractGenesis,
  describeChain,
  type ChainUnderTest,
  leavesOf,
} from '@scs/operator/master/settlement/testing/chain-contract.ts';
import { describeEconomy } from '@scs/operator/master/settlement/testing/economy-contract.ts';
import type { Chain } from '../../operator/src/master/settlement/chain.ts';
import { blindTree } from '@scs/protocol/blind-tree.ts';
import { dividendKey, encodeDividendRoot } from '@scs/protocol/dividends.ts';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { buildBatch } from '@scs/protocol/settlement.ts';
import { encodeSettlementLeaf, listPath } from '@scs/protocol/settlement-layout.ts';
import { stakeRoles } from '@scs/protocol/staking.ts';
import { testKey } from '@scs/protocol/testing/keys.ts';

const gasSeed = (n: number): string => String(n).repeat(64);
const accountOf = (seed: string): Account => Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(fromHex(seed)) });

let devnet: TestDevnet;
beforeAll(async () => {
  devnet = await startDevnet();
  for (const seed of [gasSeed(1), gasSeed(2)])
    await devnet.aptos.fundAccount({
      accountAddress: accountOf(seed).accountAddress,
      amount: 10_000_000_000,
      options: { waitForIndexer: false },
    });
});
afterAll(() => devnet.stop());

const genesisFor = (accounts: readonly Account[]): ContractGenesis => ({
  digest: contractGenesis,
  masters: contractCommittee.keys,
  recoveryKeys: [0, 1, 2].map((i) => testKey(`recovery ${i}`).publicKey),
  simulated: true,
  allocations: accounts.map((a) => ({ address: a.accountAddress.toStringLong(), amount: 1_000_000_000_000n })),
  treasuryReserve: 10_000_000n,
  escrowDelaySeconds: 3_600n,
  escrowWindowSeconds: 600n,
});

/** Contracts at a new address of the shared devnet: as good as a chain of its own. */
const newContracts = async () => {
  const { aptos } = devnet;
  const [publisher, one, two] = await Promise.all([1, 2, 3].map(() => fundedAccount(aptos, 10_000_000_000)));
  if (publisher === undefined || one === undefined || two === undefined) throw new Error('three accounts');
  const { contract } = await publishScs({ aptos, publisher, genesis: genesisFor([one, two]) });
  return { publisher, contract, submitters: [one, two] as const };
};
const chainOf = (contract: string, gas: 1 | 2, url = devnet.url): Chain =>
  aptosChain({ url: `${url}/v1`, chainId: 4, contract, genesis: contractGenesis, gasKey: gasSeed(gas), requestTimeoutMs: 5_000 });
const act = async (aptos: Aptos, signer: Account, name: string, amount: bigint): Promise<void> => {
  const done = await call(aptos, signer, { function: name as `0x${string}::${string}::${string}`, functionArguments: [amount] });
  expect(done.vm_status).toBe('Executed successfully');
};

const open = async (): Promise<ChainUnderTest> => {
  const { contract, submitters } = await newContracts();
  return {
    chain: chainOf(contract, 1),
    another: () => chainOf(contract, 2),
    submitters: [submitters[0].accountAddress.toStringLong(), submitters[1].accountAddress.toStringLong()],
    deposit: (submitter, amount) => act(devnet.aptos, submitters[submitter], `${contract}::escrow::deposit`, amount),
    requestWithdrawal: (submitter, amount) => act(devnet.aptos, submitters[submitter], `${contract}::escrow::request_withdrawal`, amount),
    bond: async (submitter, amount) => {
      const functionArguments = [stakeRoles.enterprise, amount];
      const done = await call(devnet.aptos, submitters[submitter], {
        function: `${contract as `0x${string}`}::staking::stake`,
        functionArguments,
      });
      expect(done.vm_status).toBe('Executed successfully');
    },
    letMintingFallDue: async () => {
      const chain = chainOf(contract, 1);
      const { timestampMs } = await chain.observe([]);
      while ((await chain.observe([])).timestampMs < timestampMs + 1_000n);
    },
    close: async () => {},
  };
};
describeChain('Aptos SDK on the devnet', open);
describeEconomy('Aptos SDK on the devnet', open);

describe('publishing', () => {
  test('is idempotent, and refuses another genesis and a foreign address', async () => {
    const { aptos } = devnet;
    const { publisher, contract, submitters } = await newContracts();
    const genesis = genesisFor(submitters);
    expect(await publishScs({ aptos, publisher, genesis })).toEqual({ contract });
    await checkContracts(aptos, contract, contractGenesis);
    const other = { ...genesis, digest: 'ab'.repeat(32) };
    await expect(publishScs({ aptos, publisher, genesis: other })).rejects.toMatchObject({ fault: { code: 'WrongGenesis' } });
    await expect(checkContracts(aptos, `0x${'9'.repeat(64)}`, contractGenesis)).rejects.toBeInstanceOf(ContractsError);
    const [supply] = await aptos.view({ payload: { function: `${contract as `0x${string}`}::sym::total_supply`, functionArguments: [] } });
    expect(supply).toBe('2000010000000');
  });

  test('P3: anyone proves a task of a settled batch on chain', async () => {
    const { contract, submitters } = await newContracts();
    const submitter = submitters[0].accountAddress.toStringLong();
    const charges = [7n, 8n, 9n].map((charge) => [submitter, charge] as const);
    await chainOf(contract, 1).settle({ leaf: certifiedBatch(batchOf(1n, charges)) });
    const leaves = leavesOf(1n, charges).map(encodeSettlementLeaf);
    const proves = async (index: number, leaf: Uint8Array): Promise<unknown> => {
      const path = listPath(index, leaves);
      const payload = {
        function: `${contract as `0x${string}`}::settlement::proves_task` as const,
        functionArguments: [1, index, leaf, path],
      };
      return (await devnet.aptos.view({ payload }))[0];
    };
    expect(await Promise.all(leaves.map((leaf, i) => proves(i, leaf)))).toEqual([true, true, true]);
    expect(await proves(1, leaves[0]!)).toBe(false);
  });
});

describe('dividends', () => {
  test("K6, K5: the contract pays what a Vault's tree proves: half without a stake, and what nobody claims stays in the pot", async () => {
    const { contract, submitters } = await newContracts();
    const [one, two] = submitters.map((s) => s.accountAddress.toStringLong()) as [string, string];
    await act(devnet.aptos, submitters[0], `${contract}::escrow::deposit`, 500n);
    const leaf = { envelope: contractGenesis, submitter: one, quote: 100n, charge: 100n, refund: 0n, evidence: contractGenesis };
    const split = { credits: [], dividends: 90n, treasury: 10n };
    const chain = chainOf(contract, 1);
    await chain.settle({ leaf: certifiedBatch(buildBatch({ number: 1n, epoch: 1n, tasks: [{ leaf, split }] })) });
    const shares = [
      { account: one, amount: 41n },
      { account: two, amount: 20n },
    ];
    const tree = blindTree(fromHex(contractGenesis), 21, shares);
    const terms = { least: 7n, since: 4_000_000_000n, expiresAt: 4_000_000_000n };
    const root = { number: 1n, root: tree.root, count: tree.count, total: 90n, ...terms };
    await chain.land('dividends', 1n, certified(dividendKey(1n), encodeDividendRoot(root)));
    const stake = await call(devnet.aptos, submitters[1], {
      function: `${contract as `0x${string}`}::staking::stake`,
      functionArguments: [stakeRoles.producer, 7],
    });
    expect(stake.success).toBe(true);
    const held = async (account: string): Promise<bigint> => {
      const payload = { function: `${contract as `0x${string}`}::sym::balance` as const, functionArguments: [account] };
      const [balance] = await devnet.aptos.view<[string]>({ payload });
      return BigInt(balance);
    };
    const before = [await held(one), await held(two)];
    for (const [i, signer] of submitters.entries()) {
      const { number, index, amount, path } = tree.claim(1n, i);
      const functionArguments = [[number], [index], [amount], [[...path]]];
      const done = await call(devnet.aptos, signer, { function: `${contract as `0x${string}`}::dividends::claim`, functionArguments });
      expect(done.vm_status).toBe('Executed successfully');
    }
    expect([(await held(one)) - before[0]!, (await held(two)) - before[1]!]).toEqual([20n, 20n]);
  });
});

describe('the largest batch', () => {
  test('P3: 256 escrows and 256 credits fit in one transaction', async () => {
    const { contract } = await newContracts();
    const address = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`;
    const many = Array.from({ length: 256 }, (_, i) => ({ account: address(i + 1), amount: 10n }));
    const batch = { ...batchOf(1n, [[address(1), 10n]]), taskCount: 10_000n, debits: many, credits: many, treasury: 0n };
    const { txHash } = await chainOf(contract, 1).settle({ leaf: certifiedBatch(batch) });
    const done = await devnet.aptos.getTransactionByHash({ transactionHash: txHash });
    expect(done).toMatchObject({ success: true });
  });
});

describe('a network that fails', () => {
  type Fault = (request: IncomingMessage, response: ServerResponse, pass: () => void) => void;

  /** A proxy before the devnet; each fault plays for the next request that `matches`, then requests pass. */
  const proxy = async (matches: (request: IncomingMessage) => boolean, faults: Fault[]): Promise<string> => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const pass = (): void => {
          const target = new URL(request.url ?? '/', devnet.url);
          const onward = forward(target, { method: request.method, headers: { ...request.headers, host: target.host } }, (answer) => {
            if (response.destroyed) answer.resume();
            else answer.pipe(response.writeHead(answer.statusCode ?? 502, answer.headers));
          });
          onward.end(Buffer.concat(chunks));
        };
        const fault = matches(request) ? faults.shift() : undefined;
        if (fault === undefined) pass();
        else fault(request, response, pass);
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  };
  const isSubmit = (request: IncomingMessage): boolean => request.method === 'POST' && (request.url ?? '').startsWith('/v1/transactions');
  const status =
    (code: number): Fault =>
    (_, response) =>
      void response.writeHead(code, { 'content-type': 'application/json' }).end('{"message":"no","error_code":"internal_error"}');
  const lostRequest: Fault = (_, response) => void response.destroy();
  /** It arrives and is executed; only the answer is lost. */
  const lostAnswer: Fault = (_, response, pass) => {
    response.destroy();
    pass();
  };

  test.each([
    ['429', status(429)],
    ['503', status(503)],
    ['request lost', lostRequest],
  ])('P4: %s on submission is transient, and the next call settles', async (_name, fault) => {
    const { contract, submitters } = await newContracts();
    const leaf = certifiedBatch(batchOf(1n, [[submitters[0].accountAddress.toStringLong(), 30n]]));
    const chain = chainOf(contract, 1, await proxy(isSubmit, [fault]));
    await expect(chain.settle({ leaf })).rejects.toMatchObject({ transient: true, fault: { code: 'ChainUnavailable' } });
    await chain.settle({ leaf });
    expect((await chain.observe([])).nextBatch).toBe(2n);
  });

  test('P4: an answer lost after the transaction arrived is success, once', async () => {
    const { contract, submitters } = await newContracts();
    const submitter = submitters[0].accountAddress.toStringLong();
    await act(devnet.aptos, submitters[0], `${contract}::escrow::deposit`, 100n);
    const chain = chainOf(contract, 1, await proxy(isSubmit, [lostAnswer]));
    const leaf = certifiedBatch(batchOf(1n, [[submitter, 30n]]));
    const landed = await chain.settle({ leaf });
    expect(await chain.settle({ leaf })).toEqual(landed);
    expect((await chain.observe([submitter])).escrows[submitter]?.balance).toBe(70n);
  });

  test('a gas account without gas says so', async () => {
    const { contract, submitters } = await newContracts();
    const poor = aptosChain({ url: `${devnet.url}/v1`, chainId: 4, contract, genesis: contractGenesis, gasKey: gasSeed(7) });
    const leaf = certifiedBatch(batchOf(1n, [[submitters[0].accountAddress.toStringLong(), 30n]]));
    await expect(poor.settle({ leaf })).rejects.toMatchObject({ transient: false, fault: { code: 'GasInsufficient' } });
    expect(await poor.gasBalance()).toBe(0n);
  });

  test('contracts of another genesis, and none', async () => {
    const { contract } = await newContracts();
    const wrong = aptosChain({ url: `${devnet.url}/v1`, chainId: 4, contract, genesis: 'ab'.repeat(32), gasKey: gasSeed(1) });
    await expect(wrong.observe([])).rejects.toMatchObject({ fault: { code: 'WrongGenesis', got: contractGenesis } });
    await expect(chainOf(`0x${'9'.repeat(64)}`, 1).observe([])).rejects.toMatchObject({ fault: { code: 'ContractMissing' } });
  });
});
