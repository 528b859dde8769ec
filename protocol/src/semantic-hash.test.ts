import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashGroup, semanticHashKey } from './semantic-hash.ts';

test('S2: the key is of one attribute in one epoch of one semantic version', () => {
  const keys = [semanticHashKey('v', 1, 'a'), semanticHashKey('v', 2, 'a'), semanticHashKey('v', 1, 'b'), semanticHashKey('w', 1, 'a')];
  expect(new Set(keys).size).toBe(4);
  expect(semanticHashKey('v', 1, 'a')).toBe(keys[0]);
});
test('S2: known groups, so that no build hashes otherwise', () =>
  expect(['C-1', 'C-2', '', 'é'].map((value) => hashGroup('00'.repeat(32), value, 10))).toMatchInlineSnapshot(`
    [
      3,
      3,
      9,
      9,
    ]
  `));
test('S2: every value has one group, in range', () =>
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 2, max: 100 }), (value, groups) => {
      const group = hashGroup(semanticHashKey('v', 1, 'a'), value, groups);
      expect(group).toBe(hashGroup(semanticHashKey('v', 1, 'a'), value, groups));
      expect(group >= 0 && group < groups).toBe(true);
    }),
  ));
test('S2: groups are about even', () => {
  const counts = Array.from({ length: 8 }, () => 0);
  for (let i = 0; i < 8000; i += 1) counts[hashGroup('11'.repeat(32), `value ${i}`, 8)]! += 1;
  expect(Math.min(...counts)).toBeGreaterThan(880);
  expect(Math.max(...counts)).toBeLessThan(1120);
});
