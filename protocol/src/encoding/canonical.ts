/**
 * One text for one value (rule X2): JSON with sorted keys, no spaces, integers only. A bigint is written "#123"; a string
 * that starts with "#" gets a second one. State, commands and blocks use it; what Move reads too is BCS instead (E3).
 */
import { fromUtf8, utf8 } from './bytes.ts';

export type Canonical =
  null | boolean | number | bigint | string | readonly Canonical[] | { readonly [key: string]: Canonical | undefined };

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const write = (value: Canonical | undefined): string => {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return `"#${value}"`;
  if (typeof value === 'string') return JSON.stringify(value.startsWith('#') ? `#${value}` : value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new RangeError(`not a safe integer: ${value}`);
    return String(value);
  }
  if (value === undefined) throw new RangeError('undefined has no canonical form');
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  const object = value as { readonly [key: string]: Canonical | undefined };
  const keys = Object.keys(object)
    .filter((k) => object[k] !== undefined)
    .toSorted(byCodeUnit);
  return `{${keys.map((k) => `${JSON.stringify(k)}:${write(object[k])}`).join(',')}}`;
};

/** Canonical bytes. Absent and undefined fields are the same. Throws RangeError on floats and undefined list items. */
export const encodeCanonical = (value: unknown): Uint8Array => utf8(write(value as Canonical));

const revive = (_key: string, value: unknown): unknown => {
  if (typeof value !== 'string' || !value.startsWith('#')) return value;
  if (value.startsWith('##')) return value.slice(1);
  if (!/^#(?:0|-?[1-9]\d{0,77})$/.test(value)) throw new RangeError('malformed integer');
  return BigInt(value.slice(1));
};

/**
 * What `parse` makes of the bytes, if it spells just like them: nothing that a schema leaves out or fills in may hide in bytes whose
 * digest is taken of what was parsed. Throws RangeError, SyntaxError and what `parse` throws.
 */
export const decodeCanonicalAs = <T>(parse: (value: unknown) => T, bytes: Uint8Array): T => {
  const text = fromUtf8(bytes);
  const value = parse(JSON.parse(text, revive));
  if (write(value as Canonical) !== text) throw new RangeError('not in canonical form');
  return value;
};

/** Inverse of `encodeCanonical`; throws RangeError or SyntaxError on anything that is not the one canonical spelling. */
export const decodeCanonical = (bytes: Uint8Array): unknown => decodeCanonicalAs((value) => value, bytes);
