import { z } from 'zod';
import { readGas } from '../accounts.ts';
import { hex } from '../bytes.ts';
import type { Chain } from '../chain.ts';
import { maxGasAmount } from '../limits.ts';
import { Refusal, notFound } from '../refusal.ts';
import { renderChanges } from '../changes.ts';
import type { Stored } from '../store.ts';
import { readTransaction } from '../transaction.ts';
import { addressParam, hashParam, limitQuery, numberParam, numberQuery } from './request.ts';
import type { ApiRequest, ApiResponse, Route } from './request.ts';

const signedTransaction = 'application/x.aptos.signed_transaction+bcs';

const Record = z.looseObject({ type: z.string() });

/** A transaction on record, with what it changed. */
export const renderStored = (chain: Chain, stored: Stored) => ({
  ...Record.parse(JSON.parse(stored.record)),
  changes: renderChanges(chain, stored.version),
});

const requireBcs = (request: ApiRequest): void => {
  if (!request.contentType.startsWith(signedTransaction))
    throw new Refusal(415, 'web_framework_error', `The devnet takes transactions as ${signedTransaction}`);
};

const submit = (chain: Chain, request: ApiRequest): ApiResponse => {
  requireBcs(request);
  return { status: 202, json: chain.submit(request.body) };
};

/** With `estimate_max_gas_amount` the payer's whole balance is the limit, as on Aptos. */
const simulate = (chain: Chain, request: ApiRequest): ApiResponse => {
  requireBcs(request);
  const done = chain.simulate(request.body);
  if (request.query.get('estimate_max_gas_amount') !== 'true') return { json: [done] };
  const tx = readTransaction(request.body);
  const affordable = readGas((key) => chain.store.read(key), tx.sender) / tx.gasUnitPrice;
  return { json: [{ ...done, max_gas_amount: String(affordable < maxGasAmount ? affordable : maxGasAmount) }] };
};

const found = (chain: Chain, hash: Uint8Array): unknown => {
  const stored = chain.store.transaction({ hash });
  return stored === undefined ? chain.pending(hash) : renderStored(chain, stored);
};

const byHash = (chain: Chain, hash: Uint8Array): ApiResponse => {
  const json = found(chain, hash);
  if (json === undefined) throw notFound('transaction_not_found', `Transaction not found by Transaction hash(${hex(hash)})`);
  return { json };
};

const waitByHash = async (chain: Chain, hash: Uint8Array): Promise<ApiResponse> => {
  if (chain.store.transaction({ hash }) === undefined && chain.pending(hash) !== undefined) await chain.wait(hash);
  return byHash(chain, hash);
};

const byVersion = (chain: Chain, version: number): ApiResponse => {
  const stored = chain.store.transaction({ version });
  if (stored === undefined) throw notFound('transaction_not_found', `Transaction not found by Ledger version(${version})`);
  return { json: renderStored(chain, stored) };
};

const list = (chain: Chain, request: ApiRequest): ApiResponse => {
  const limit = limitQuery(request);
  const start = numberQuery(request, 'start') ?? Math.max(0, chain.tip().lastVersion - limit + 1);
  return { json: chain.store.transactions(start, limit).map((t) => renderStored(chain, t)) };
};

const ofAccount = (chain: Chain, request: ApiRequest): ApiResponse => {
  const start = BigInt(numberQuery(request, 'start') ?? 0);
  return { json: chain.store.transactionsOf(addressParam(request), start, limitQuery(request)).map((t) => renderStored(chain, t)) };
};

export const transactionRoutes: readonly Route[] = [
  { method: 'POST', path: '/transactions', handle: submit },
  { method: 'POST', path: '/transactions/simulate', handle: simulate },
  { method: 'GET', path: '/transactions', handle: list },
  { method: 'GET', path: '/transactions/by_hash/:hash', handle: (chain, request) => byHash(chain, hashParam(request)) },
  { method: 'GET', path: '/transactions/wait_by_hash/:hash', handle: (chain, request) => waitByHash(chain, hashParam(request)) },
  {
    method: 'GET',
    path: '/transactions/by_version/:version',
    handle: (chain, request) => byVersion(chain, numberParam(request, 'version')),
  },
  { method: 'GET', path: '/accounts/:address/transactions', handle: ofAccount },
];
