import { addressBytes, addressText } from './bytes.ts';

/** A Move type as the API writes it (`0x1::option::Option<u64>`), parsed. */
export type Primitive = 'bool' | 'u8' | 'u16' | 'u32' | 'u64' | 'u128' | 'u256' | 'address' | 'signer';
export type StructType = {
  readonly kind: 'struct';
  readonly address: string;
  readonly module: string;
  readonly name: string;
  readonly args: readonly MoveType[];
};
export type MoveType =
  | { readonly kind: 'primitive'; readonly name: Primitive }
  | { readonly kind: 'vector'; readonly of: MoveType }
  | StructType
  | { readonly kind: 'parameter'; readonly index: number };

const primitives: ReadonlySet<string> = new Set(['bool', 'u8', 'u16', 'u32', 'u64', 'u128', 'u256', 'address', 'signer']);
const isPrimitive = (name: string): name is Primitive => primitives.has(name);
const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** What the VM accepts as the name of a module, struct or function. It ends the process over others, so check first. */
export const isIdentifier = (text: string): boolean => identifier.test(text);

/** Deeper than any type of ours, far below what could exhaust a stack. */
export const maxTypeDepth = 8;
const maxTypeLength = 1024;

export class MoveTypeError extends Error {
  readonly code = 'InvalidMoveType';
}

const tokens = (text: string): string[] => text.match(/::|[<>,&]|[^\s<>,&:]+/g) ?? [];

/** Parses a type; references lose their `&`. Throws `MoveTypeError` on anything that isn't one whole type. */
export const parseType = (text: string): MoveType => {
  if (text.length > maxTypeLength) throw new MoveTypeError('The type is too long');
  const all = tokens(text);
  let at = 0;
  const expect = (token: string): void => {
    if (all[at++] !== token) throw new MoveTypeError(`Not a Move type: ${text}`);
  };
  const list = (depth: number): MoveType[] => {
    const items: MoveType[] = [];
    if (all[at] !== '<') return items;
    at += 1;
    for (;;) {
      items.push(one(depth + 1));
      if (all[at] === ',') at += 1;
      else break;
    }
    expect('>');
    return items;
  };
  const struct = (address: string, depth: number): StructType => {
    const bytes = addressBytes(address);
    expect('::');
    const module = all[at++] ?? '';
    expect('::');
    const name = all[at++] ?? '';
    if (bytes === undefined || !isIdentifier(module) || !isIdentifier(name)) throw new MoveTypeError(`Not a Move type: ${text}`);
    return { kind: 'struct', address: addressText(bytes), module, name, args: list(depth) };
  };
  const one = (depth: number): MoveType => {
    if (depth > maxTypeDepth) throw new MoveTypeError('The type is nested too deep');
    while (all[at] === '&' || all[at] === 'mut') at += 1;
    const head = all[at++] ?? '';
    if (isPrimitive(head)) return { kind: 'primitive', name: head };
    const parameter = /^T(\d{1,2})$/.exec(head)?.[1];
    if (parameter !== undefined && all[at] !== '::') return { kind: 'parameter', index: Number(parameter) };
    if (head !== 'vector') return struct(head, depth);
    const [of, ...more] = list(depth);
    if (of === undefined || more.length > 0) throw new MoveTypeError(`Not a Move type: ${text}`);
    return { kind: 'vector', of };
  };
  const type = one(0);
  if (at !== all.length) throw new MoveTypeError(`Not a Move type: ${text}`);
  return type;
};

/** The type as the API writes it. */
export const typeText = (type: MoveType): string => {
  switch (type.kind) {
    case 'primitive':
      return type.name;
    case 'vector':
      return `vector<${typeText(type.of)}>`;
    case 'parameter':
      return `T${type.index}`;
    case 'struct': {
      const args = type.args.length === 0 ? '' : `<${type.args.map(typeText).join(', ')}>`;
      return `${type.address}::${type.module}::${type.name}${args}`;
    }
  }
};

/** The type with its parameters replaced. */
export const substitute = (type: MoveType, args: readonly MoveType[]): MoveType => {
  switch (type.kind) {
    case 'primitive':
      return type;
    case 'vector':
      return { kind: 'vector', of: substitute(type.of, args) };
    case 'struct':
      return { ...type, args: type.args.map((a) => substitute(a, args)) };
    case 'parameter': {
      const actual = args[type.index];
      if (actual === undefined) throw new MoveTypeError(`Type parameter T${type.index} has no argument`);
      return actual;
    }
  }
};
