import { addressBytes, addressText, bcsString, bcsVector, concat } from './bytes.ts';
import { BcsReader } from './bcs-reader.ts';
import { MoveTypeError, isIdentifier, maxTypeDepth } from './move-types.ts';
import type { MoveType, Primitive, StructType } from './move-types.ts';

/** BCS of type tags, by their variant numbers. */
const tagOf: Readonly<Record<Primitive, number>> = { bool: 0, u8: 1, u64: 2, u128: 3, address: 4, signer: 5, u16: 8, u32: 9, u256: 10 };
const vectorTag = 6;
const structTag = 7;
const primitiveOf = new Map(Object.entries(tagOf).map(([name, tag]) => [tag, name]));

const isPrimitiveName = (name: string | undefined): name is Primitive => name !== undefined && name in tagOf;

/** BCS of a struct tag, without the variant of a type tag: what the key of a resource carries. */
export const structTagBytes = (type: StructType): Uint8Array => {
  const address = addressBytes(type.address);
  if (address === undefined) throw new MoveTypeError(`Not an address: ${type.address}`);
  return concat(address, bcsString(type.module), bcsString(type.name), bcsVector(type.args.map(typeTagBytes)));
};

export const typeTagBytes = (type: MoveType): Uint8Array => {
  switch (type.kind) {
    case 'primitive':
      return Uint8Array.of(tagOf[type.name]);
    case 'vector':
      return concat(Uint8Array.of(vectorTag), typeTagBytes(type.of));
    case 'struct':
      return concat(Uint8Array.of(structTag), structTagBytes(type));
    case 'parameter':
      throw new MoveTypeError('A type parameter is no type');
  }
};

export const readStructTag = (reader: BcsReader, depth = 0): StructType => {
  const address = addressText(reader.bytes(32));
  const [module, name] = [reader.string(), reader.string()];
  if (!isIdentifier(module) || !isIdentifier(name)) throw new MoveTypeError('A type tag names something that is no identifier');
  const args = reader.vector(() => readTypeTag(reader, depth + 1));
  return { kind: 'struct', address, module, name, args };
};

/** Reads a type tag. Throws `MoveTypeError` or `BcsError`. */
export const readTypeTag = (reader: BcsReader, depth = 0): MoveType => {
  if (depth > maxTypeDepth) throw new MoveTypeError('The type is nested too deep');
  const tag = reader.uleb128();
  if (tag === vectorTag) return { kind: 'vector', of: readTypeTag(reader, depth + 1) };
  if (tag === structTag) return readStructTag(reader, depth);
  const name = primitiveOf.get(tag);
  if (!isPrimitiveName(name)) throw new MoveTypeError(`Unknown type tag ${tag}`);
  return { kind: 'primitive', name };
};
