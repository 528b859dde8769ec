/** Who counts where (rule N8): a height's three identities never change once they are known. */
import { expect, test } from 'vitest';
import { admit, countsAt, latestOf, type Roster } from './roster.ts';

const first: Roster = [0, 1, 2].map((master) => ({ master, key: `${master}`, from: 1n }));
const WINDOW = 4;
const keysAt = (roster: Roster, height: bigint): readonly string[] =>
  roster
    .filter(({ key }) => countsAt(roster, key, height))
    .map(({ key }) => key)
    .toSorted();

test('N8: the new identity counts above the window, the old one up to there', () => {
  const roster = admit(first, { master: 1, key: 'new' }, 10n, WINDOW);
  expect([14n, 15n].map((height) => keysAt(roster, height))).toEqual([
    ['0', '1', '2'],
    ['0', '2', 'new'],
  ]);
  expect(latestOf(roster, 1)?.key).toBe('new');
});
test('N8: void: a key that was ever admitted, for whomever; another one while the first is still to begin', () => {
  const roster = admit(first, { master: 1, key: 'new' }, 10n, WINDOW);
  expect(admit(roster, { master: 1, key: '1' }, 20n, WINDOW)).toBe(roster);
  expect(admit(roster, { master: 2, key: 'new' }, 20n, WINDOW)).toBe(roster);
  expect(admit(roster, { master: 1, key: 'newer' }, 14n, WINDOW)).toBe(roster);
  expect(latestOf(admit(roster, { master: 1, key: 'newer' }, 15n, WINDOW), 1)?.key).toBe('newer');
});
