import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BcsError, BcsReader } from './bcs-reader.ts';
import { addressBytes, addressText, fromHex, hex, uleb128 } from './bytes.ts';
import type { Field } from './modules.ts';
import { decodeValue, encodeValue, fromVmJson } from './move-json.ts';
import type { Json, Layouts } from './move-json.ts';
import { MoveTypeError, parseType, typeText } from './move-types.ts';
import type { MoveType, Primitive, StructType } from './move-types.ts';
import { readTypeTag, typeTagBytes } from './type-tags.ts';

const primitive = (name: Primitive): MoveType => ({ kind: 'primitive', name });
const std = (module: string, name: string, args: readonly MoveType[] = []): StructType => ({
  kind: 'struct',
  address: '0x1',
  module,
  name,
  args,
});
const pair: StructType = { kind: 'struct', address: '0x7', module: 'm', name: 'Pair', args: [] };
const pairFields: readonly Field[] = [
  { name: 'left', type: primitive('u64') },
  { name: 'right', type: { kind: 'vector', of: primitive('u8') } },
];
const layouts: Layouts = (type) => {
  if (type.name === 'Pair') return pairFields;
  if (type.name === 'Option') return [{ name: 'vec', type: { kind: 'vector', of: type.args[0] ?? primitive('u8') } }];
  return undefined;
};

const integer = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });
const address = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(addressText);
const bytes = fc.uint8Array({ maxLength: 40 }).map(hex);
/** A type and a value of it, as the API writes it. */
const typed: fc.Arbitrary<{ type: MoveType; value: Json }> = fc
  .letrec<{ node: { type: MoveType; value: Json } }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.boolean().map((value) => ({ type: primitive('bool'), value })),
      integer(8).map((v) => ({ type: primitive('u8'), value: Number(v) })),
      integer(32).map((v) => ({ type: primitive('u32'), value: Number(v) })),
      integer(64).map((v) => ({ type: primitive('u64'), value: v.toString() })),
      integer(256).map((v) => ({ type: primitive('u256'), value: v.toString() })),
      address.map((value) => ({ type: primitive('address'), value })),
      bytes.map((value): { type: MoveType; value: Json } => ({ type: { kind: 'vector', of: primitive('u8') }, value })),
      fc.string({ unit: 'grapheme' }).map((value) => ({ type: std('string', 'String'), value })),
      fc.tuple(integer(64), bytes).map(([left, right]) => ({ type: pair, value: { left: left.toString(), right } })),
      tie('node').map(({ type, value }) => ({ type: std('option', 'Option', [type]), value: { vec: [value] } })),
      tie('node')
        .filter(({ type }) => type.kind !== 'primitive' || type.name !== 'u8')
        .map(({ type, value }): { type: MoveType; value: Json } => ({ type: { kind: 'vector', of: type }, value: [value, value] })),
    ),
  }))
  .node.filter(({ type }) => !typeText(type).includes('Option<u8>'));

describe('values', () => {
  test('BCS and JSON are the same value', () => {
    fc.assert(
      fc.property(typed, ({ type, value }) => {
        const encoded = encodeValue(value, type, layouts);
        expect(decodeValue(encoded, type, layouts)).toEqual(value);
        expect(() => decodeValue(Uint8Array.from([...encoded, 0]), type, layouts)).toThrow(BcsError);
      }),
    );
  });

  test('random bytes decode or are refused, nothing else', () => {
    const again = (random: Uint8Array, type: MoveType): string => {
      try {
        return hex(encodeValue(decodeValue(random, type, layouts), type, layouts));
      } catch (error) {
        return error instanceof BcsError ? 'refused' : `threw ${String(error)}`;
      }
    };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), typed, (random, { type }) => {
        expect([hex(random), 'refused']).toContain(again(random, type));
      }),
    );
  });

  test("the VM's JSON becomes Aptos' form", () => {
    const option = std('option', 'Option', [primitive('u64')]);
    expect(fromVmJson(null, option, layouts)).toEqual({ vec: [] });
    expect(fromVmJson('7', option, layouts)).toEqual({ vec: ['7'] });
    expect(fromVmJson([], { kind: 'vector', of: primitive('u8') }, layouts)).toBe('0x');
    expect(fromVmJson('0102', { kind: 'vector', of: primitive('u8') }, layouts)).toBe('0x0102');
    expect(fromVmJson('0xcafe', std('object', 'Object', [pair]), layouts)).toEqual({ inner: `0x${'cafe'.padStart(64, '0')}` });
    expect(fromVmJson({ right: 'ff', left: '1' }, pair, layouts)).toEqual({ left: '1', right: '0xff' });
  });
});

describe('types', () => {
  test('text and BCS are the same type', () => {
    fc.assert(
      fc.property(typed, ({ type }) => {
        expect(parseType(typeText(type))).toEqual(type);
        const reader = new BcsReader(typeTagBytes(type));
        expect(readTypeTag(reader)).toEqual(type);
        reader.end();
      }),
    );
  });

  test.each([
    '',
    'u',
    'vector',
    'vector<u8',
    'vector<u8>>',
    'vector<u8,u8>',
    '0x1::a',
    '0x1::a::',
    '0x1::a::B<>',
    '0x1::a-b::C',
    'u8 u8',
    '0xzz::a::B',
    'T',
  ])('%s is no type', (text) => expect(() => parseType(text)).toThrow(MoveTypeError));

  test.each(['&signer', '&mut u64', 'T0', '0x1::table::Table<address, 0xcafe::jar::Deposit>'])('%s is a type', (text) =>
    expect(() => parseType(text)).not.toThrow(),
  );
});

describe('bytes', () => {
  test('lengths are canonical', () => {
    fc.assert(
      fc.property(fc.nat(), (n) => {
        expect(new BcsReader(uleb128(n)).uleb128()).toBe(n);
      }),
    );
    expect(() => new BcsReader(Uint8Array.of(0x80, 0x00)).uleb128()).toThrow(BcsError);
    expect(() => new BcsReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f)).uleb128()).toThrow(BcsError);
    expect(() => new BcsReader(uleb128(2 ** 31)).vector(() => 0)).toThrow(BcsError);
  });

  test('addresses and hex', () => {
    fc.assert(
      fc.property(address, (text) => {
        expect(addressText(addressBytes(text) ?? new Uint8Array())).toBe(text);
      }),
    );
    expect(addressText(addressBytes('0x1') ?? new Uint8Array())).toBe('0x1');
    expect(addressText(addressBytes('0x10') ?? new Uint8Array())).toBe(`0x${'10'.padStart(64, '0')}`);
    expect([fromHex('0x1'), fromHex('12'), addressBytes('0x'), addressBytes(`0x${'1'.repeat(65)}`)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
