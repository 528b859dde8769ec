import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  Ed25519Account,
  EntryFunction,
  RawTransaction,
  ChainId,
  SimpleTransaction,
  TransactionPayloadEntryFunction,
  U64,
  generateSignedTransaction,
} from '@aptos-labs/ts-sdk';
import { publishPackage } from '../toolchain/publish.ts';
import { sha3 } from './bytes.ts';
import { overlay } from './overlay.ts';
import { serve } from './server.ts';
import { openChain } from './chain.ts';
import type { Chain } from './chain.ts';
import { fund } from './api/faucet.ts';
import { framework, fundedAccount, sdkFor } from './testing/devnet.ts';
import { readTransaction } from './transaction.ts';

/**
 * `node contracts/devnet/bench.ts [transactions]`: the same entry function (mint of a fungible asset into a primary store) called in the
 * bare VM with memory behind it, through the chain (signatures, blocks, disk), and over HTTP.
 */
const count = Number(process.argv[2] ?? 2000);
const senders = 20;
const connections = 32;
const sample = fileURLToPath(new URL('sample', import.meta.url));

const perSecond = (label: string, n: number, ms: number): void => console.log(`${label.padEnd(52)} ${Math.round((n * 1000) / ms)} /s`);
const timed = async (run: () => unknown): Promise<number> => {
  const start = performance.now();
  await run();
  return performance.now() - start;
};

const sign = (chain: Chain, signer: Ed25519Account, module: `${string}::${string}`, sequence: bigint): Uint8Array => {
  const call = new TransactionPayloadEntryFunction(EntryFunction.build(module, 'mint', [], [new U64(1)]));
  const expiration = chain.clockSecs() + 3600n;
  const transaction = new SimpleTransaction(
    new RawTransaction(signer.accountAddress, sequence, call, 10_000n, 100n, expiration, new ChainId(chain.chainId)),
  );
  return generateSignedTransaction({ transaction, senderAuthenticator: signer.signTransactionWithAuthenticator(transaction) });
};

const bareVm = (chain: Chain, body: Uint8Array): number => {
  const tx = readTransaction(body);
  const top = overlay((key) => chain.store.read(key));
  const start = performance.now();
  for (let i = 0; i < count; i += 1) {
    const env = { height: i, timeUs: 1_800_000_000_000_000, transactionHash: sha3(Buffer.from(String(i))) };
    const { outcome } = chain.vm.execute(top, env, [tx.sender], tx.call, 1_000_000n);
    if (!outcome.ok) throw new Error(outcome.error);
  }
  return performance.now() - start;
};

const settled = async (chain: Chain, version: number): Promise<void> => {
  while (chain.tip().lastVersion < version) await new Promise((resolve) => setImmediate(resolve));
};

const overHttp = async (url: string, bodies: readonly Uint8Array[]): Promise<void> => {
  const queue = [...bodies].values();
  const headers = { 'content-type': 'application/x.aptos.signed_transaction+bcs' };
  const worker = async (): Promise<void> => {
    for (const body of queue) {
      const response = await fetch(`${url}/v1/transactions`, { method: 'POST', headers, body: Uint8Array.from(body) });
      if (response.status !== 202) throw new Error(await response.text());
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
};

const main = async (): Promise<void> => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'scs-devnet-bench-'));
  const chain = await openChain({ chainId: 4, framework, dataDir: folder });
  const server = await serve(chain);
  try {
    const aptos = sdkFor(server.url);
    const publisher = await fundedAccount(aptos);
    await publishPackage(aptos, publisher, sample, { sample: publisher.accountAddress.toString() });
    const accounts = Array.from({ length: senders }, () => Ed25519Account.generate());
    for (const account of accounts) fund(chain, account.accountAddress.toUint8Array(), 1_000_000_000_000n);
    await settled(chain, chain.tip().lastVersion + senders);
    const module: `${string}::${string}` = `${publisher.accountAddress.toString()}::jar`;
    const bodies = (from: number): Uint8Array[] =>
      Array.from({ length: count }, (_, i) =>
        sign(chain, accounts[i % senders] ?? publisher, module, BigInt(from + Math.floor(i / senders))),
      );
    const [first, second] = [bodies(0), bodies(count / senders)];

    bareVm(chain, first[0] ?? new Uint8Array());
    perSecond('bare VM call, memory behind it', count, bareVm(chain, first[0] ?? new Uint8Array()));
    let until = chain.tip().lastVersion + count;
    perSecond(
      'chain: verify, execute, commit to disk',
      count,
      await timed(async () => {
        first.forEach((body) => chain.submit(body));
        await settled(chain, until);
      }),
    );
    until += count;
    perSecond(
      `HTTP, ${connections} connections, client in this process`,
      count,
      await timed(async () => {
        await overHttp(server.url, second);
        await settled(chain, until);
      }),
    );
  } finally {
    await server.close();
    chain.close();
    await rm(folder, { recursive: true, force: true });
  }
};

await main();
