import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
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

interface Took {
  readonly wallMs: number;
  /** Processor time of this process: all of it is the devnet's. */
  readonly processorMs: number;
}
const rate = (n: number, ms: number): number => Math.round((n * 1000) / ms);
const tell = (label: string, { wallMs, processorMs }: Took): void =>
  console.log(`${label.padEnd(52)} ${rate(count, wallMs)} /s ${rate(count, processorMs)} /processor-s`);
const timed = async (run: () => unknown): Promise<Took> => {
  const [start, used] = [performance.now(), process.cpuUsage()];
  await run();
  const { user, system } = process.cpuUsage(used);
  return { wallMs: performance.now() - start, processorMs: (user + system) / 1000 };
};

const sign = (chain: Chain, signer: Ed25519Account, module: `${string}::${string}`, sequence: bigint): Uint8Array => {
  const call = new TransactionPayloadEntryFunction(EntryFunction.build(module, 'mint', [], [new U64(1)]));
  const expiration = chain.clockSecs() + 3600n;
  const transaction = new SimpleTransaction(
    new RawTransaction(signer.accountAddress, sequence, call, 10_000n, 100n, expiration, new ChainId(chain.chainId)),
  );
  return generateSignedTransaction({ transaction, senderAuthenticator: signer.signTransactionWithAuthenticator(transaction) });
};

const bareVm = (chain: Chain, body: Uint8Array): void => {
  const tx = readTransaction(body);
  const top = overlay((key) => chain.store.read(key));
  for (let i = 0; i < count; i += 1) {
    const env = { height: i, timeUs: 1_800_000_000_000_000, transactionHash: sha3(Buffer.from(String(i))) };
    const { outcome } = chain.vm.execute(top, env, [tx.sender], tx.call, 1_000_000n);
    if (!outcome.ok) throw new Error(outcome.error);
  }
};

const settled = async (chain: Chain, version: number): Promise<void> => {
  // A timer, not setImmediate: waiting must not take the processor time that is measured.
  while (chain.tip().lastVersion < version) await new Promise((resolve) => setTimeout(resolve, 2));
};

/** Resolves when the client, a process of its own, has posted them all. */
const overHttp = async (url: string, bodies: readonly Uint8Array[]): Promise<void> => {
  const client = fork(fileURLToPath(new URL('bench-client.ts', import.meta.url)));
  try {
    client.send({ url, connections, bodies: bodies.map((body) => Buffer.from(body).toString('base64')) });
    const [answer] = (await Promise.race([once(client, 'message'), once(client, 'exit')])) as unknown[];
    if (answer !== 'done') throw new Error('the client of the benchmark failed');
  } finally {
    client.kill();
  }
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

    const [body = new Uint8Array()] = first;
    bareVm(chain, body);
    tell('bare VM call, memory behind it', await timed(() => bareVm(chain, body)));
    const land = (sent: readonly Uint8Array[], post: () => unknown): Promise<Took> => {
      const until = chain.tip().lastVersion + sent.length;
      return timed(async () => {
        await post();
        await settled(chain, until);
      });
    };
    tell('chain: verify, execute, commit to disk', await land(first, () => first.forEach((each) => chain.submit(each))));
    tell(`HTTP, ${connections} connections, client in another process`, await land(second, () => overHttp(server.url, second)));
  } finally {
    await server.close();
    chain.close();
    await rm(folder, { recursive: true, force: true });
  }
};

await main();
