import type { Chain } from '../chain.ts';
import { hex } from '../bytes.ts';
import { minGasUnitPrice } from '../limits.ts';
import { notFound } from '../refusal.ts';
import { renderStored } from './transactions.ts';
import { numberParam } from './request.ts';
import type { ApiRequest, ApiResponse, Route } from './request.ts';
import type { BlockRow } from '../store.ts';

/** Ledger info and blocks. `git_hash` says what this is. */
export const ledgerInfo = (chain: Chain) => {
  const tip = chain.tip();
  return {
    chain_id: chain.chainId,
    epoch: '1',
    ledger_version: String(tip.lastVersion),
    oldest_ledger_version: '0',
    // The time that a block would have now: an idle devnet makes none, and is not behind for that.
    ledger_timestamp: String(chain.nowUs()),
    node_role: 'full_node',
    oldest_block_height: '0',
    block_height: String(tip.height),
    git_hash: 'devnet-not-aptos',
  };
};

const renderBlock = (chain: Chain, request: ApiRequest, block: BlockRow | undefined): ApiResponse => {
  if (block === undefined) throw notFound('block_not_found', 'There is no such block');
  const wanted = request.query.get('with_transactions') === 'true';
  const stored = wanted ? chain.store.transactions(block.firstVersion, block.lastVersion - block.firstVersion + 1) : [];
  return {
    json: {
      block_height: String(block.height),
      block_hash: hex(block.hash),
      block_timestamp: String(block.timeUs),
      first_version: String(block.firstVersion),
      last_version: String(block.lastVersion),
      transactions: wanted ? stored.map((t) => renderStored(chain, t)) : null,
    },
  };
};

const gasPrice = Number(minGasUnitPrice);

export const ledgerRoutes: readonly Route[] = [
  { method: 'GET', path: '/', handle: (chain) => ({ json: ledgerInfo(chain) }) },
  { method: 'GET', path: '/-/healthy', handle: () => ({ json: { message: 'devnet, not Aptos: ok' } }) },
  {
    method: 'GET',
    path: '/estimate_gas_price',
    handle: () => ({ json: { gas_estimate: gasPrice, deprioritized_gas_estimate: gasPrice, prioritized_gas_estimate: gasPrice } }),
  },
  {
    method: 'GET',
    path: '/blocks/by_height/:height',
    handle: (chain, request) => renderBlock(chain, request, chain.store.block({ height: numberParam(request, 'height') })),
  },
  {
    method: 'GET',
    path: '/blocks/by_version/:version',
    handle: (chain, request) => renderBlock(chain, request, chain.store.block({ version: numberParam(request, 'version') })),
  },
];
