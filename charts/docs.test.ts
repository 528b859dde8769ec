/** What documents tell people to type exists: chart values and the plugin's commands. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '@scs/cli/commands/index.ts';
import { describe, expect, test } from 'vitest';
import { valuesOf } from './generate.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'charts/scs/README.md',
  'charts/scs-enterprise/README.md',
  'charts/scs/templates/NOTES.txt',
  'charts/scs-enterprise/templates/NOTES.txt',
];

const values = ['scs', 'scs-enterprise'].flatMap((chart) => valuesOf(read(`charts/${chart}/values.yaml`)).map(({ path }) => path));
const words = commands.map((command) => command.words.join(' '));

describe.each(documents)('%s', (file) => {
  const text = read(file);
  test('every --set names a value of a chart', () => {
    const keys = [...text.matchAll(/--set(?:-file)? '?([^\s'`]+)/g)]
      .flatMap((match) => match[1]!.split(/,(?=[a-z][\w.]*=)/))
      .map((setting) => setting.split('=')[0]!)
      .filter((key) => key !== '...');
    expect(keys.filter((key) => !values.includes(key))).toEqual([]);
  });
  test('every kubectl symphony COMMAND exists', () => {
    const used = [...text.matchAll(/kubectl symphony ([a-z]+)(?: ([a-z]+))?/g)];
    const unknown = used.filter(
      ([, first, second]) => first !== 'help' && !words.includes(first!) && !words.includes(`${first} ${second}`),
    );
    expect(unknown.map(([command]) => command)).toEqual([]);
  });
});

test('links between documents lead somewhere', () => {
  const broken = documents
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
        .map((match) => join(file, '..', match[1]!))
        .filter((target) => {
          try {
            read(target);
            return false;
          } catch {
            return true;
          }
        }),
    );
  expect(broken).toEqual([]);
});
