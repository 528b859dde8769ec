import { Aptos, AptosConfig, Ed25519Account, Network, isUserTransactionResponse } from '@aptos-labs/ts-sdk';
import type { Account, InputEntryFunctionData, UserTransactionResponse } from '@aptos-labs/ts-sdk';
import { openChain } from '../chain.ts';
import type { Chain, ChainOptions } from '../chain.ts';
import { buildFramework } from '../framework.ts';
import type { FrameworkBundle } from '../framework.ts';
import { serve } from '../server.ts';

/** A devnet in this process with the unmodified SDK in front of it. */
export type TestDevnet = {
  readonly chain: Chain;
  readonly aptos: Aptos;
  readonly url: string;
  readonly stop: () => Promise<void>;
};

let bundle: Promise<FrameworkBundle> | undefined;
/** Compiled once a process. */
export const framework = (): Promise<FrameworkBundle> => (bundle ??= buildFramework());

/** The SDK, aimed at a devnet. Retries of its HTTP client are left as they are. */
export const sdkFor = (url: string): Aptos => new Aptos(new AptosConfig({ network: Network.CUSTOM, fullnode: `${url}/v1`, faucet: url }));

export const startDevnet = async (options: Partial<ChainOptions> = {}): Promise<TestDevnet> => {
  const chain = await openChain({ chainId: 4, framework, ...options });
  const server = await serve(chain, { timeTravel: true });
  const stop = async (): Promise<void> => {
    await server.close();
    chain.close();
  };
  return { chain, url: server.url, aptos: sdkFor(server.url), stop };
};

export const defaultGas = 1_000_000_000;

/** A new account that holds devnet gas. */
export const fundedAccount = async (aptos: Aptos, amount = defaultGas): Promise<Ed25519Account> => {
  const account = Ed25519Account.generate();
  await aptos.fundAccount({ accountAddress: account.accountAddress, amount, options: { waitForIndexer: false } });
  return account;
};

/** Builds, signs, submits and waits, by the SDK. A failed transaction is returned, not thrown. */
export const call = async (aptos: Aptos, signer: Account, data: InputEntryFunctionData): Promise<UserTransactionResponse> => {
  const transaction = await aptos.transaction.build.simple({ sender: signer.accountAddress, data });
  const pending = await aptos.signAndSubmitTransaction({ signer, transaction });
  const done = await aptos.waitForTransaction({ transactionHash: pending.hash, options: { checkSuccess: false } });
  if (!isUserTransactionResponse(done)) throw new Error(`Not a user transaction: ${done.type}`);
  return done;
};

/** Moves the devnet's clock forward. */
export const advanceTime = async (url: string, seconds: number): Promise<void> => {
  const response = await fetch(`${url}/v1/devnet/advance_time`, { method: 'POST', body: JSON.stringify({ seconds }) });
  if (!response.ok) throw new Error(await response.text());
};
