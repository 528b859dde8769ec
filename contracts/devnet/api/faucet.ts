import {
  AccountAddress,
  ChainId,
  EntryFunction,
  RawTransaction,
  TransactionPayloadEntryFunction,
  U64,
  generateSignedTransaction,
  SimpleTransaction,
} from '@aptos-labs/ts-sdk';
import { z } from 'zod';
import { addressBytes } from '../bytes.ts';
import type { Chain } from '../chain.ts';
import { faucetAccount } from '../faucet-key.ts';
import { invalidInput } from '../refusal.ts';
import { jsonBody } from './request.ts';
import type { ApiRequest, ApiResponse, Route } from './request.ts';

/** A million of Aptos' whole coins at a time is plenty. */
const maxAmount = 100_000_000_000_000;
const Fund = z.object({ address: z.string(), amount: z.number().int().min(1).max(maxAmount) });
const timeToLiveSecs = 60n;
const gas = 20_000n;
const gasPrice = 100n;

/** Submits a transaction that mints devnet gas. Returns its hash. */
export const fund = (chain: Chain, to: Uint8Array, amount: bigint): string => {
  const faucet = faucetAccount(chain.chainId);
  const sequence = chain.nextSequence(faucet.accountAddress.toUint8Array());
  const mint = EntryFunction.build('0x1::devnet_gas', 'mint', [], [new AccountAddress(to), new U64(amount)]);
  const expiration = chain.clockSecs() + timeToLiveSecs;
  const raw = new RawTransaction(
    faucet.accountAddress,
    sequence,
    new TransactionPayloadEntryFunction(mint),
    gas,
    gasPrice,
    expiration,
    new ChainId(chain.chainId),
  );
  const transaction = new SimpleTransaction(raw);
  const pending = chain.submit(
    generateSignedTransaction({ transaction, senderAuthenticator: faucet.signTransactionWithAuthenticator(transaction) }),
  );
  return pending.hash;
};

const handle = (chain: Chain, request: ApiRequest): ApiResponse => {
  const parsed = Fund.safeParse(jsonBody(request));
  const to = parsed.success ? addressBytes(parsed.data.address) : undefined;
  if (!parsed.success || to === undefined) throw invalidInput(`The body is { address, amount } with an amount of 1 to ${maxAmount}`);
  return { json: { txn_hashes: [fund(chain, to, BigInt(parsed.data.amount))] } };
};

/** As the SDK's `fundAccount` asks; not under /v1. */
export const faucetRoutes: readonly Route[] = [{ method: 'POST', path: '/fund', handle }];
