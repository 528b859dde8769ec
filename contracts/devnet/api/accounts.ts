import { BcsReader } from '../bcs-reader.ts';
import { readAccount, readGas } from '../accounts.ts';
import { addressText, bytesOf, hex } from '../bytes.ts';
import type { Chain } from '../chain.ts';
import { renderResource } from '../changes.ts';
import { isIdentifier } from '../move-types.ts';
import { invalidInput, notFound } from '../refusal.ts';
import { layoutsOf } from '../render.ts';
import { entryPrefix, resourceKey } from '../state-keys.ts';
import { readStructTag } from '../type-tags.ts';
import { addressParam, param, readerOf, typeParam } from './request.ts';
import type { ApiRequest, ApiResponse, Route } from './request.ts';

/** Aptos pages here; the devnet's accounts are small and come in one page, up to this. */
const maxEntries = 9999;

/** An account that was never used is there all the same, at sequence number 0, as on Aptos. */
const account = (chain: Chain, request: ApiRequest): ApiResponse => {
  const { sequenceNumber, authenticationKey } = readAccount(readerOf(chain, request).read, addressParam(request));
  return { json: { sequence_number: sequenceNumber.toString(), authentication_key: hex(authenticationKey) } };
};

const resource = (chain: Chain, request: ApiRequest): ApiResponse => {
  const { read } = readerOf(chain, request);
  const [address, type] = [addressParam(request), typeParam(request, 'type')];
  const value = read(resourceKey(address, type));
  if (value === undefined)
    throw notFound('resource_not_found', `Resource not found by Address(${addressText(address)}), Struct tag(${param(request, 'type')})`);
  return { json: renderResource(type, value, layoutsOf(chain.modules, read)) };
};

const resources = (chain: Chain, request: ApiRequest): ApiResponse => {
  const { read, version } = readerOf(chain, request);
  const layouts = layoutsOf(chain.modules, read);
  const rows = chain.store.scan(entryPrefix(addressParam(request), 'resource'), version, maxEntries);
  return { json: rows.map(({ key, value }) => renderResource(readStructTag(new BcsReader(key.subarray(33))), value, layouts)) };
};

const module = (chain: Chain, request: ApiRequest): ApiResponse => {
  const { read } = readerOf(chain, request);
  const [address, name] = [addressParam(request), param(request, 'module')];
  if (!isIdentifier(name)) throw invalidInput(`Not a module name: ${name}`);
  const bytecode = chain.modules.bytecode(read, address, name);
  if (bytecode === undefined)
    throw notFound('module_not_found', `Module not found by Address(${addressText(address)}), Module name(${name})`);
  return { json: { bytecode: hex(bytecode), abi: chain.modules.abi(read, address, name) } };
};

const modules = (chain: Chain, request: ApiRequest): ApiResponse => {
  const { read, version } = readerOf(chain, request);
  const address = addressParam(request);
  const names = chain.store
    .scan(entryPrefix(address, 'module'), version, maxEntries)
    .map(({ key }) => new BcsReader(key.subarray(33)).string());
  return {
    json: names.map((name) => ({
      bytecode: hex(chain.modules.bytecode(read, address, name) ?? bytesOf('')),
      abi: chain.modules.abi(read, address, name),
    })),
  };
};

/** The SDK asks for APT by this name. What it gets is devnet gas: nothing else pays fees here. */
const gasNames: ReadonlySet<string> = new Set([
  '0x1::aptos_coin::AptosCoin',
  '0x1::devnet_gas::DevnetGas',
  '0xa',
  `0x${'a'.padStart(64, '0')}`,
]);

const balance = (chain: Chain, request: ApiRequest): ApiResponse => {
  const asset = param(request, 'asset');
  if (!gasNames.has(asset))
    throw invalidInput('The devnet tells balances of its gas only; view 0x1::primary_fungible_store::balance for others');
  return { json: Number(readGas(readerOf(chain, request).read, addressParam(request))) };
};

/** Event handles of the old style: there are none here, so their streams are empty. Module events are in their transactions. */
const noEvents = (_chain: Chain, request: ApiRequest): ApiResponse => {
  addressParam(request);
  return { json: [] };
};

export const accountRoutes: readonly Route[] = [
  { method: 'GET', path: '/accounts/:address', handle: account },
  { method: 'GET', path: '/accounts/:address/resources', handle: resources },
  { method: 'GET', path: '/accounts/:address/resource/:type', handle: resource },
  { method: 'GET', path: '/accounts/:address/modules', handle: modules },
  { method: 'GET', path: '/accounts/:address/module/:module', handle: module },
  { method: 'GET', path: '/accounts/:address/balance/:asset', handle: balance },
  { method: 'GET', path: '/accounts/:address/events/:number', handle: noEvents },
];
