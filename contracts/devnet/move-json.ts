import { BcsReader } from './bcs-reader.ts';
import { addressBytes, addressText, bcsString, bcsVector, concat, fromHex, hex, uleb128 } from './bytes.ts';
import { typeText } from './move-types.ts';
import type { MoveType, Primitive, StructType } from './move-types.ts';
import type { Field } from './modules.ts';

/** Move values as the Aptos API writes them: u8 to u32 as numbers, wider integers as strings, bytes as hex, structs as objects. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
/** Fields of a struct; undefined where it isn't known. */
export type Layouts = (type: StructType) => readonly Field[] | undefined;

/** JSON that is no value of the type asked for. */
export class MoveJsonError extends Error {
  readonly code = 'InvalidMoveJson';
}

const sizes: Readonly<Partial<Record<Primitive, number>>> = { u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, u256: 32 };
const isStd = (type: StructType, module: string, name: string): boolean =>
  type.address === '0x1' && type.module === module && type.name === name;
const isString = (type: StructType): boolean => isStd(type, 'string', 'String');
const isOption = (type: StructType): boolean => isStd(type, 'option', 'Option');
const isObject = (type: StructType): boolean => isStd(type, 'object', 'Object');
const isBytes = (type: MoveType): boolean => type.kind === 'vector' && type.of.kind === 'primitive' && type.of.name === 'u8';

const layoutOf = (layouts: Layouts, type: StructType): readonly Field[] => {
  const fields = layouts(type);
  if (fields === undefined) throw new MoveJsonError(`The struct ${typeText(type)} is not known here`);
  return fields;
};

const decodePrimitive = (reader: BcsReader, name: Primitive): Json => {
  if (name === 'bool') return reader.bool();
  const size = sizes[name];
  if (size === undefined) return addressText(reader.bytes(32));
  const value = reader.unsigned(size);
  return size <= 4 ? Number(value) : value.toString();
};

const decodeFrom = (reader: BcsReader, type: MoveType, layouts: Layouts): Json => {
  switch (type.kind) {
    case 'primitive':
      return decodePrimitive(reader, type.name);
    case 'vector':
      return isBytes(type) ? hex(reader.lengthPrefixed()) : reader.vector(() => decodeFrom(reader, type.of, layouts));
    case 'struct': {
      if (isString(type)) return reader.string();
      const fields = layoutOf(layouts, type);
      return Object.fromEntries(fields.map((f) => [f.name, decodeFrom(reader, f.type, layouts)]));
    }
    case 'parameter':
      throw new MoveJsonError('A type parameter has no value');
  }
};

/** BCS to JSON. Throws `BcsError` or `MoveJsonError`. */
export const decodeValue = (bytes: Uint8Array, type: MoveType, layouts: Layouts): Json => {
  const reader = new BcsReader(bytes);
  const value = decodeFrom(reader, type, layouts);
  reader.end();
  return value;
};

const unsignedBytes = (value: Json, size: number): Uint8Array => {
  const digits = typeof value === 'number' ? value.toString() : value;
  if (typeof digits !== 'string' || !/^\d{1,78}$/.test(digits)) throw new MoveJsonError('An integer is a number or a string of digits');
  let rest = BigInt(digits);
  const out = new Uint8Array(size);
  for (let i = 0; i < size; i += 1) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest > 0n) throw new MoveJsonError(`${digits} does not fit ${size * 8} bits`);
  return out;
};

const encodeAddress = (value: Json): Uint8Array => {
  const bytes = typeof value === 'string' ? addressBytes(value.startsWith('0x') ? value : `0x${value}`) : undefined;
  if (bytes === undefined) throw new MoveJsonError('An address is a hex string');
  return bytes;
};

const encodePrimitive = (value: Json, name: Primitive): Uint8Array => {
  if (name === 'bool') {
    if (typeof value !== 'boolean') throw new MoveJsonError('A bool is true or false');
    return Uint8Array.of(value ? 1 : 0);
  }
  const size = sizes[name];
  return size === undefined ? encodeAddress(value) : unsignedBytes(value, size);
};

const isRecord = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

const encodeBytes = (value: Json): Uint8Array => {
  const bytes = typeof value === 'string' ? fromHex(value.startsWith('0x') ? value : `0x${value}`) : undefined;
  if (bytes === undefined) throw new MoveJsonError('Bytes are a hex string');
  return concat(uleb128(bytes.length), bytes);
};

const encodeOption = (value: Json, type: StructType, layouts: Layouts): Uint8Array => {
  const inner = type.args[0];
  if (inner === undefined) throw new MoveJsonError('An option has a type');
  const items = isRecord(value) && isList(value['vec'] ?? null) ? value['vec'] : value === null ? [] : [value];
  if (!isList(items ?? null) || (items as readonly Json[]).length > 1) throw new MoveJsonError('An option holds one value or none');
  return bcsVector((items as readonly Json[]).map((item) => encodeValue(item, inner, layouts)));
};

const encodeStruct = (value: Json, type: StructType, layouts: Layouts): Uint8Array => {
  if (isString(type)) {
    if (typeof value !== 'string') throw new MoveJsonError('A string is a string');
    return bcsString(value);
  }
  if (isOption(type)) return encodeOption(value, type, layouts);
  if (isObject(type)) return encodeAddress(isRecord(value) ? (value['inner'] ?? null) : value);
  if (!isRecord(value)) throw new MoveJsonError(`${typeText(type)} is an object`);
  return concat(...layoutOf(layouts, type).map((f) => encodeValue(value[f.name] ?? null, f.type, layouts)));
};

/** JSON to BCS, for arguments of views and keys of tables. Throws `MoveJsonError`. */
export const encodeValue = (value: Json, type: MoveType, layouts: Layouts): Uint8Array => {
  switch (type.kind) {
    case 'primitive':
      return encodePrimitive(value, type.name);
    case 'vector':
      if (isBytes(type) && !isList(value)) return encodeBytes(value);
      if (!isList(value)) throw new MoveJsonError('A vector is a list');
      return bcsVector(value.map((item) => encodeValue(item, type.of, layouts)));
    case 'struct':
      return encodeStruct(value, type, layouts);
    case 'parameter':
      throw new MoveJsonError('A type parameter has no value');
  }
};

/**
 * The VM's own JSON (events, results of views) to Aptos': there, bytes are hex without 0x (and an empty list when empty), an
 * option is its value or null, an object its address.
 */
export const fromVmJson = (value: Json, type: MoveType, layouts: Layouts): Json => {
  if (type.kind === 'primitive') return type.name === 'address' ? addressText(encodeAddress(value)) : value;
  if (type.kind === 'vector') {
    if (isBytes(type)) return typeof value === 'string' ? `0x${value}` : '0x';
    if (!isList(value)) throw new MoveJsonError('The VM gave no list for a vector');
    return value.map((item) => fromVmJson(item, type.of, layouts));
  }
  if (type.kind === 'parameter') throw new MoveJsonError('A type parameter has no value');
  if (isString(type)) return value;
  if (isOption(type)) return { vec: value === null || type.args[0] === undefined ? [] : [fromVmJson(value, type.args[0], layouts)] };
  if (isObject(type)) return { inner: addressText(encodeAddress(value)) };
  if (!isRecord(value)) throw new MoveJsonError('The VM gave no object for a struct');
  const fields = layoutOf(layouts, type);
  return Object.fromEntries(
    fields.map((f) => [f.name, f.name === 'dummy_field' ? false : fromVmJson(value[f.name] ?? null, f.type, layouts)]),
  );
};
