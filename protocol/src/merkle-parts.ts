/**
 * A state in parts (rule X1): how a certified state goes from one master to another without being in one message, and without either
 * trusting the other. A part is the subtree below a string of bits of the hashed key: all its entries if they are few, else the hashes of
 * its two halves. Whoever knows the subtree's hash can check either; it begins with the certified root, and whatever it has
 * already, of any earlier state, it need not ask for.
 */
import { bcs } from '@mysten/bcs';
import { concat, equalBytes, fromHex, hex } from './encoding/bytes.ts';
import { sha3 } from './encoding/hash.ts';
import { MerkleMap } from './merkle.ts';

export type Entry = readonly [key: string, value: Uint8Array];
/** Hashes are hex. */
export type Part =
  | { readonly kind: 'halves'; readonly left: string; readonly right: string }
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] };

/** Bits of a hashed key. */
export const MAX_PREFIX_BITS = 256;
/** Hash of a subtree without entries, hex. */
export const EMPTY_PART = hex(new Uint8Array(32));
const NODE = Uint8Array.of(1);

/** What to send of a subtree: at most so many bytes of entries, or a single entry of any size. */
export const partAt = (map: MerkleMap, prefix: string, mostBytes: number): Part => {
  const halves = map.halvesAt(prefix);
  const entries: Entry[] = [];
  let bytes = 0;
  for (const entry of map.entriesAt(prefix)) {
    bytes += entry[0].length + entry[1].length;
    if (halves && bytes > mostBytes) return { kind: 'halves', left: hex(halves[0]), right: hex(halves[1]) };
    entries.push(entry);
  }
  return { kind: 'entries', entries };
};

/** Whether the part is that subtree, all of it and nothing else. Hostile parts give false, never an exception. */
export const isPartOf = (hash: string, prefix: string, part: Part): boolean => {
  if (part.kind === 'halves') return hex(sha3(concat(NODE, fromHex(part.left), fromHex(part.right)))) === hash;
  const map = part.entries.reduce((m, [key, value]) => m.set(key, value), MerkleMap.empty);
  return equalBytes(map.hashAt(prefix), fromHex(hash)) && [...map.entriesAt(prefix)].length === part.entries.length;
};

/** The map with these entries below the prefix, and no others there. */
export const withPart = (map: MerkleMap, prefix: string, entries: readonly Entry[]): MerkleMap => {
  const kept = new Set(entries.map(([key]) => key));
  let next = map;
  for (const [key] of map.entriesAt(prefix)) if (!kept.has(key)) next = next.delete(key);
  for (const [key, value] of entries) next = next.set(key, value);
  return next;
};

const Entries = bcs.vector(bcs.tuple([bcs.string(), bcs.byteVector()]));
export const encodeEntries = (entries: readonly Entry[]): Uint8Array =>
  Entries.serialize(entries.map(([key, value]) => [key, value] as [string, Uint8Array])).toBytes();
/** Throws on anything that is not what `encodeEntries` gives. */
export const decodeEntries = (bytes: Uint8Array): readonly Entry[] => {
  const entries = Entries.parse(bytes).map(([key, value]): Entry => [key, Uint8Array.from(value)]);
  if (!equalBytes(encodeEntries(entries), bytes)) throw new RangeError('entries are not in their one spelling');
  return entries;
};
