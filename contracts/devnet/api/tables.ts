import { z } from 'zod';
import type { Chain } from '../chain.ts';
import { BcsError } from '../bcs-reader.ts';
import { MoveJsonError, decodeValue, encodeValue } from '../move-json.ts';
import { MoveTypeError, parseType } from '../move-types.ts';
import { invalidInput, notFound } from '../refusal.ts';
import { layoutsOf } from '../render.ts';
import { tableItemKey } from '../state-keys.ts';
import { addressParam, jsonBody, readerOf } from './request.ts';
import type { ApiRequest, ApiResponse, Route } from './request.ts';

const ItemRequest = z.object({ key_type: z.string(), value_type: z.string(), key: z.json() });

const item = (chain: Chain, request: ApiRequest): ApiResponse => {
  const parsed = ItemRequest.safeParse(jsonBody(request));
  if (!parsed.success) throw invalidInput('The body is no table item request');
  const { read } = readerOf(chain, request);
  const layouts = layoutsOf(chain.modules, read);
  try {
    const key = encodeValue(parsed.data.key, parseType(parsed.data.key_type), layouts);
    const value = read(tableItemKey(addressParam(request, 'handle'), key));
    if (value === undefined) throw notFound('table_item_not_found', 'Table Item not found by Table handle and key');
    return { json: decodeValue(value, parseType(parsed.data.value_type), layouts) };
  } catch (error) {
    throw error instanceof MoveJsonError || error instanceof MoveTypeError || error instanceof BcsError
      ? invalidInput(error.message)
      : error;
  }
};

export const tableRoutes: readonly Route[] = [{ method: 'POST', path: '/tables/:handle/item', handle: item }];
