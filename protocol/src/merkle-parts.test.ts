/** X1: a state put together from parts, each checked against the root, by whoever begins with nothing or with another state. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex, utf8 } from './encoding/bytes.ts';
import { MerkleMap } from './merkle.ts';
import { decodeEntries, EMPTY_PART, encodeEntries, isPartOf, partAt, withPart, type Part } from './merkle-parts.ts';

const mapOf = (names: Iterable<string>, value = 'value of'): MerkleMap =>
  [...names].reduce((m, name) => m.set(name, utf8(`${value} ${name}`)), MerkleMap.empty);
const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `task/${i}`);

/** Asks `from` for what `have` lacks; the parts that were asked for. */
const fetched = (have: MerkleMap, from: MerkleMap, mostBytes: number): { readonly map: MerkleMap; readonly parts: number } => {
  let map = have;
  let parts = 0;
  const work = [{ prefix: '', hash: hex(from.root()) }];
  for (let next = work.pop(); next; next = work.pop()) {
    const { prefix, hash } = next;
    if (hex(map.hashAt(prefix)) === hash) continue;
    const part = partAt(from, prefix, mostBytes);
    parts += 1;
    expect(isPartOf(hash, prefix, part)).toBe(true);
    if (part.kind === 'entries') map = withPart(map, prefix, part.entries);
    else work.push({ prefix: `${prefix}0`, hash: part.left }, { prefix: `${prefix}1`, hash: part.right });
  }
  return { map, parts };
};
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 60 });

describe('X1: a state in parts', () => {
  test('from any state to any other, in parts of any size', () => {
    fc.assert(
      fc.property(names, names, fc.integer({ min: 1, max: 2_000 }), (mine, theirs, most) => {
        const [have, wanted] = [mapOf(mine, 'mine'), mapOf(theirs)];
        const { map } = fetched(have, wanted, most);
        expect(hex(map.root())).toBe(hex(wanted.root()));
        expect(new Map(map.entries())).toEqual(new Map(wanted.entries()));
      }),
    );
  });
  test('whoever has nearly all of it asks for little', () => {
    const wanted = mapOf(numbered(2_000));
    const have = wanted.delete('task/7').set('task/8', utf8('older')).set('task/gone', utf8('gone'));
    expect(fetched(MerkleMap.empty, wanted, 2_000).parts).toBeGreaterThan(30);
    expect(fetched(have, wanted, 2_000).parts).toBeLessThan(25);
  });
  test('a part is bounded, but for a single entry', () => {
    const map = mapOf(numbered(500)).set('large', new Uint8Array(5_000));
    const sizes: number[] = [];
    const walk = (prefix: string): void => {
      const part = partAt(map, prefix, 1_000);
      if (part.kind === 'halves') return [`${prefix}0`, `${prefix}1`].forEach(walk);
      sizes.push(part.entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
    };
    walk('');
    expect(sizes.filter((size) => size > 1_000)).toEqual([5_005]);
    expect(Math.max(...sizes.filter((size) => size <= 1_000))).toBeGreaterThan(500);
  });
  test('a part that is not that subtree is refused', () => {
    const map = mapOf(numbered(64));
    const at = (prefix: string): string => hex(map.hashAt(prefix));
    const whole = partAt(map, '01', 10_000);
    if (whole.kind !== 'entries') throw new Error('too large');
    const [first, ...rest] = whole.entries;
    const stranger = [...map.entriesAt('1')][0]!;
    const false1: readonly Part[] = [
      { kind: 'entries', entries: rest },
      { kind: 'entries', entries: [] },
      { kind: 'entries', entries: [[first![0], utf8('another')], ...rest] },
      { kind: 'entries', entries: [...whole.entries, stranger] },
      { kind: 'entries', entries: [...whole.entries, first!] },
      { kind: 'halves', left: EMPTY_PART, right: at('011') },
      { kind: 'halves', left: at('011'), right: at('010') },
    ];
    for (const part of false1) expect(isPartOf(at('01'), '01', part)).toBe(false);
    expect(isPartOf(at('01'), '01', whole)).toBe(true);
    expect(isPartOf(at('01'), '01', { kind: 'halves', left: at('010'), right: at('011') })).toBe(true);
    expect(isPartOf(EMPTY_PART, '01', { kind: 'entries', entries: [] })).toBe(true);
  });
  test('entries have one spelling, and nothing else is one', () => {
    const entries = [['a', utf8('1')] as const, ['ü', new Uint8Array(300)] as const];
    expect(decodeEntries(encodeEntries(entries))).toEqual(entries);
    expect(() => decodeEntries(Uint8Array.of(...encodeEntries(entries), 0))).toThrow('one spelling');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        let read;
        try {
          read = decodeEntries(bytes);
        } catch {
          return; // refused
        }
        expect(encodeEntries(read)).toEqual(bytes);
      }),
    );
  });
});
