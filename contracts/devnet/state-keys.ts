import { addressBytes, bcsString, concat, keyOf } from './bytes.ts';
import { MoveTypeError, parseType } from './move-types.ts';
import type { StructType } from './move-types.ts';
import { structTagBytes } from './type-tags.ts';

/** The VM's access paths: address, one byte for the kind of entry, then what names it. */
const kinds = { module: 0, checksum: 1, resource: 2, tableItem: 3, tableInfo: 4 } as const;
export type EntryKind = keyof typeof kinds;
const kindNames = new Map<number, EntryKind>([
  [0, 'module'],
  [1, 'checksum'],
  [2, 'resource'],
  [3, 'tableItem'],
  [4, 'tableInfo'],
]);

export const entryPrefix = (address: Uint8Array, kind: EntryKind): Uint8Array => concat(address, Uint8Array.of(kinds[kind]));
export const moduleKey = (address: Uint8Array, name: string): string => keyOf(concat(entryPrefix(address, 'module'), bcsString(name)));
export const resourceKey = (address: Uint8Array, type: StructType): string => keyOf(address) + resourceName(type);
/** The part of the key that the type alone decides: the same few types are asked for all the time. */
const resourceNames = new WeakMap<StructType, string>();
const resourceName = (type: StructType): string => {
  const known = resourceNames.get(type) ?? keyOf(concat(Uint8Array.of(kinds.resource), structTagBytes(type)));
  resourceNames.set(type, known);
  return known;
};
export const tableItemKey = (handle: Uint8Array, key: Uint8Array): string => keyOf(concat(entryPrefix(handle, 'tableItem'), key));

/** Takes a key apart; undefined for a kind that we don't know. */
export const splitKey = (key: Uint8Array): { address: Uint8Array; kind: EntryKind; rest: Uint8Array } | undefined => {
  const kind = kindNames.get(key[32] ?? -1);
  return kind === undefined ? undefined : { address: key.subarray(0, 32), kind, rest: key.subarray(33) };
};

/** A struct type of ours by its text. Throws `MoveTypeError` for other types. */
export const structType = (text: string): StructType => {
  const type = parseType(text);
  if (type.kind !== 'struct') throw new MoveTypeError(`Not a struct type: ${text}`);
  return type;
};

/** An address that the code names itself. Throws if it isn't one. */
export const knownAddress = (text: string): Uint8Array => {
  const bytes = addressBytes(text);
  if (bytes === undefined) throw new Error(`Not an address: ${text}`);
  return bytes;
};
