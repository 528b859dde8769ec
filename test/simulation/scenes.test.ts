/** Scenes written by hand, and the mutations of the algorithm that they and chosen seeds show (docs/adr/0015). */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { genuine } from './algorithm.ts';
import { perform } from './scene.ts';
import { sceneNames, scenes } from './scenes.ts';

const RULES: Readonly<Record<string, string>> = { retired: 'N8', correct: 'N8', view: 'N8', two: 'G4', forged: 'G4', old: 'N2' };
const ruleOf = (name: string): string => RULES[/^[a-z]+/.exec(name)?.[0] ?? ''] ?? 'N1';

test.each(sceneNames.map((name) => [ruleOf(name), name] as const))('%s: the two correct masters agree and go on: %s', (_rule, name) => {
  const { failure, trace } = perform(scenes[name], genuine);
  expect(failure === undefined ? '' : [...trace, failure].join('\n')).toBe('');
});

// in a process of its own: the mutated sources are loaded through hooks
test('N1, N2, N8, G4: each mutation of the algorithm is caught, or equal for a reason', { timeout: 120_000 }, async () => {
  const mutants = fileURLToPath(new URL('mutants.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [mutants]);
  expect(stdout).not.toMatch(/WRONG/);
});
