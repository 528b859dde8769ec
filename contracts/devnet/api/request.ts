import { fromHex, addressBytes } from '../bytes.ts';
import type { Chain } from '../chain.ts';
import { MoveTypeError } from '../move-types.ts';
import { structType } from '../state-keys.ts';
import type { StructType } from '../move-types.ts';
import type { ReadEntry } from '../modules.ts';
import { invalidInput, notFound } from '../refusal.ts';

/** A request as handlers see it: what the path named, the query, the whole (bounded) body. */
export type ApiRequest = {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: Uint8Array;
};
export type ApiResponse = { readonly status?: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> };
export type Handler = (chain: Chain, request: ApiRequest) => ApiResponse | Promise<ApiResponse>;
export type Route = { readonly method: 'GET' | 'POST'; readonly path: string; readonly handle: Handler };

export const param = (request: ApiRequest, name: string): string => request.params[name] ?? '';

export const addressParam = (request: ApiRequest, name = 'address'): Uint8Array => {
  const text = param(request, name);
  const bytes = addressBytes(text.startsWith('0x') ? text : `0x${text}`);
  if (bytes === undefined) throw invalidInput(`Not an address: ${text}`);
  return bytes;
};

export const hashParam = (request: ApiRequest): Uint8Array => {
  const bytes = fromHex(param(request, 'hash'));
  if (bytes?.length !== 32) throw invalidInput('Not a transaction hash');
  return bytes;
};

const wholeNumber = (text: string, name: string): number => {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidInput(`${name} is no whole number`);
  return value;
};

export const numberParam = (request: ApiRequest, name: string): number => wholeNumber(param(request, name), name);

export const numberQuery = (request: ApiRequest, name: string): number | undefined => {
  const text = request.query.get(name);
  return text === null || text === '' ? undefined : wholeNumber(text, name);
};

const defaultLimit = 25;
const maxLimit = 100;
export const limitQuery = (request: ApiRequest): number => Math.max(1, Math.min(numberQuery(request, 'limit') ?? defaultLimit, maxLimit));

/** A reader at the version that the query names, or at the newest. Throws for one that isn't there yet. */
export const readerOf = (chain: Chain, request: ApiRequest): { read: ReadEntry; version: number; latest: boolean } => {
  const version = numberQuery(request, 'ledger_version');
  const newest = chain.tip().lastVersion;
  if (version === undefined || version === newest) return { read: (key) => chain.store.read(key), version: newest, latest: true };
  if (version > newest) throw notFound('version_not_found', `Ledger version ${version} is not there yet: the newest is ${newest}`);
  return { read: (key) => chain.store.read(key, version), version, latest: false };
};

/** A struct type out of a path. */
export const typeParam = (request: ApiRequest, name: string): StructType => {
  try {
    return structType(param(request, name));
  } catch (error) {
    throw error instanceof MoveTypeError ? invalidInput(error.message) : error;
  }
};

export const jsonBody = (request: ApiRequest): unknown => {
  try {
    return JSON.parse(Buffer.from(request.body).toString('utf8'));
  } catch {
    throw invalidInput('The body is no JSON');
  }
};
