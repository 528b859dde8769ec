import { z } from 'zod';
import { BcsError, BcsReader } from '../bcs-reader.ts';
import { addressBytes } from '../bytes.ts';
import type { Chain } from '../chain.ts';
import { viewGas } from '../limits.ts';
import type { FunctionAbi, ReadEntry } from '../modules.ts';
import { MoveJsonError, encodeValue, fromVmJson } from '../move-json.ts';
import type { Json, Layouts } from '../move-json.ts';
import { MoveTypeError, isIdentifier, parseType, substitute } from '../move-types.ts';
import type { MoveType } from '../move-types.ts';
import { overlay } from '../overlay.ts';
import { invalidInput } from '../refusal.ts';
import { layoutsOf } from '../render.ts';
import { readFunctionCall } from '../transaction.ts';
import { typeTagBytes } from '../type-tags.ts';
import type { FunctionCall } from '../vm.ts';
import { parseVmError } from '../vm-status.ts';
import { jsonBody, readerOf } from './request.ts';
import type { ApiRequest, ApiResponse, Route } from './request.ts';

const bcsView = 'application/x.aptos.view_function+bcs';
const JsonView = z.object({
  function: z.string().max(400),
  type_arguments: z.array(z.string()).max(16).default([]),
  arguments: z.array(z.json()).max(64).default([]),
});

type View = { readonly call: FunctionCall; readonly typeArguments: readonly MoveType[] };

const functionOf = (chain: Chain, read: ReadEntry, address: Uint8Array, module: string, name: string): FunctionAbi => {
  const abi = chain.modules.function(read, address, module, name);
  if (abi === undefined) throw invalidInput(`There is no public function ${module}::${name} at that address`);
  return abi;
};

const fromBcs = (request: ApiRequest): View => {
  const reader = new BcsReader(request.body);
  const view = readFunctionCall(reader);
  reader.end();
  return view;
};

const fromJson = (chain: Chain, read: ReadEntry, layouts: Layouts, request: ApiRequest): View => {
  const parsed = JsonView.safeParse(jsonBody(request));
  if (!parsed.success) throw invalidInput('The body is no view request');
  const [at = '', module = '', name = '', ...more] = parsed.data.function.split('::');
  const address = addressBytes(at);
  if (address === undefined || !isIdentifier(module) || !isIdentifier(name) || more.length > 0)
    throw invalidInput('function is address::module::name');
  const typeArguments = parsed.data.type_arguments.map(parseType);
  const abi = functionOf(chain, read, address, module, name);
  if (abi.params.length !== parsed.data.arguments.length) throw invalidInput(`${name} takes ${abi.params.length} arguments`);
  const args = parsed.data.arguments.map((value, i) =>
    encodeValue(value, substitute(parseType(abi.params[i] ?? ''), typeArguments), layouts),
  );
  return { typeArguments, call: { address, module, name, typeArguments: typeArguments.map(typeTagBytes), arguments: args } };
};

const results = (text: string, abi: FunctionAbi, typeArguments: readonly MoveType[], layouts: Layouts): Json[] => {
  const value: Json = JSON.parse(text);
  const values = abi.return.length === 1 ? [value] : value;
  if (!Array.isArray(values)) throw new MoveJsonError('The VM gave no list of results');
  return abi.return.map((type, i) => fromVmJson(values[i] ?? null, substitute(parseType(type), typeArguments), layouts));
};

/** At an older version the call sees the time of that version's transaction; at the newest, the time that a block would have now. */
const timeAt = (chain: Chain, version: number, latest: boolean): number =>
  latest ? chain.nowUs() : (chain.store.transaction({ version })?.timeUs ?? 0);

const run = (chain: Chain, request: ApiRequest): ApiResponse => {
  const { read, version, latest } = readerOf(chain, request);
  const layouts = layoutsOf(chain.modules, read);
  const view = request.contentType.startsWith(bcsView) ? fromBcs(request) : fromJson(chain, read, layouts, request);
  const { call, typeArguments } = view;
  const abi = functionOf(chain, read, call.address, call.module, call.name);
  if (!abi.is_view) throw invalidInput(`${call.module}::${call.name} is not a view function`);
  const env = { height: chain.tip().height, timeUs: timeAt(chain, version, latest), transactionHash: new Uint8Array(32) };
  const { outcome } = chain.vm.view(overlay(read), env, call, viewGas);
  if (!outcome.ok) throw invalidInput(chain.explainFailure(read, parseVmError(outcome.error)));
  return { json: results(outcome.value, abi, typeArguments, layouts) };
};

const view = (chain: Chain, request: ApiRequest): ApiResponse => {
  try {
    return run(chain, request);
  } catch (error) {
    throw error instanceof BcsError || error instanceof MoveJsonError || error instanceof MoveTypeError
      ? invalidInput(error.message)
      : error;
  }
};

export const viewRoutes: readonly Route[] = [{ method: 'POST', path: '/view', handle: view }];
