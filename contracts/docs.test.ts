/** What docs/contracts.md says of states, attacks and abort codes is what the Move sources and tests have (K2, P3, P4, G4). */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const folder = path.join(import.meta.dirname, 'scs');
const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
const document = readFileSync(path.join(import.meta.dirname, '..', 'docs', 'contracts.md'), 'utf8');

/** Cells of the table under this heading, without its head. */
const tableUnder = (heading: string): string[][] => {
  const section = document.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  const rows = (section ?? '').split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
};
const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

/** `module::NAME` -> code, of all sources. */
const codes = new Map<string, string>(
  globSync('sources/*.move', { cwd: folder }).flatMap((file) =>
    [...read(file).matchAll(/^\s*const E_(\w+): u64 = (\d+);/gm)].map(
      ([, name = '', code = '']) => [`${path.basename(file, '.move')}::${name}`, code] as const,
    ),
  ),
);

/** `module::test` -> the abort that it expects, `module:code`, or `none`. */
const tests = new Map<string, string>(
  globSync('tests/*_tests.move', { cwd: folder }).flatMap((file) =>
    [
      ...read(file).matchAll(
        /#\[test(?:, expected_failure\(abort_code = (\d+), location = \w+::(\w+)\))?\](?:[^\n]*\n\s*(?:\/\/\/[^\n]*\n\s*)*)fun (\w+)/g,
      ),
    ].map(
      ([, code, module, name = '']) =>
        [`${path.basename(file, '.move')}::${name}`, code === undefined ? 'none' : `${module}:${code}`] as const,
    ),
  ),
);

describe('docs/contracts.md', () => {
  test('every Move test is read', () => {
    const all = globSync('tests/*_tests.move', { cwd: folder }).reduce(
      (n, file) => n + (read(file).match(/#\[test[,\]]/g) ?? []).length,
      0,
    );
    expect(tests.size).toBe(all);
  });

  const states = tableUnder('Every state that holds money, and who ends it');
  test('has the states', () => expect(states.length).toBeGreaterThan(20));
  test.each(states)('K2: %s, ended by %s: a Move test shows it', (_state, _by, _when, names = '') => {
    expect(quoted(names).length).toBeGreaterThan(0);
    for (const name of quoted(names)) expect(tests.get(name), name).toBe('none');
  });

  const attacks = tableUnder('Attacks');
  test('has the attacks', () => expect(attacks.length).toBeGreaterThan(25));
  test.each(attacks)('%s aborts with %s', (_attack, code = '', names = '') => {
    const [name = ''] = quoted(code);
    const [module = ''] = name.split('::');
    const expected = name === '' ? 'none' : `${module}:${codes.get(name) ?? 'unknown'}`;
    expect(quoted(names).length).toBeGreaterThan(0);
    for (const found of quoted(names)) expect(tests.get(found), found).toBe(expected);
  });

  test('lists every abort code', () => {
    const listed = tableUnder('Abort codes').flatMap(([module = '', list = '']) =>
      [...list.matchAll(/(\d+) (\w+)/g)].map(([, code, name]) => `${quoted(module)[0]}::${name} ${code}`),
    );
    expect(listed.toSorted()).toEqual([...codes].map(([name, code]) => `${name} ${code}`).toSorted());
  });
});
