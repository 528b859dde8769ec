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

/** `module::function` -> its body, of all entry functions. */
const entries = new Map(
  globSync('sources/*.move', { cwd: folder }).flatMap((file) =>
    [...read(file).matchAll(/public entry fun (\w+)\(([\s\S]*?)\n    \}\n/g)].map(
      ([, name = '', body = '']) => [`${path.basename(file, '.move')}::${name}`, body] as const,
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

  const authorities = new Map(tableUnder('Who may call what').map(([who = '', names = '']) => [who, quoted(names).toSorted()]));
  const withAuthority = (holds: (body: string) => boolean): string[] =>
    [...entries].flatMap(([name, body]) => (holds(body) ? [name] : [])).toSorted();

  test('every entry function has one authority', () =>
    expect([...authorities.values()].flat().toSorted()).toEqual([...entries.keys()].toSorted()));
  test('what is privileged asks for a certificate, for recovery keys, or for two votes', () => {
    expect(authorities.get('certificate of two masters')).toEqual(
      withAuthority((body) => body.includes('committee::verify_head(') || / verify_head\(/.test(body)),
    );
    expect(authorities.get('two of three recovery keys')).toEqual(
      withAuthority((body) => body.includes('committee::check_votes(&recovery.keys')),
    );
    expect(authorities.get('two decide votes of one master')).toEqual(
      withAuthority((body) => body.split('committee::verify_vote(').length === 3),
    );
  });
  test('no admin key: one place in all sources asks who publishes', () => {
    const asked = globSync('sources/*.move', { cwd: folder }).flatMap((file) => read(file).match(/[=!]= @\w+/g) ?? []);
    expect(asked).toEqual(['== @scs']);
  });

  test('lists every abort code', () => {
    const listed = tableUnder('Abort codes').flatMap(([module = '', list = '']) =>
      [...list.matchAll(/(\d+) (\w+)/g)].map(([, code, name]) => `${quoted(module)[0]}::${name} ${code}`),
    );
    expect(listed.toSorted()).toEqual([...codes].map(([name, code]) => `${name} ${code}`).toSorted());
  });
});
