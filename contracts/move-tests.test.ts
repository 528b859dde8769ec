import { globSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { testPackage } from './toolchain/move.ts';

/** Every Move package's unit tests, each as a test of its own. The outcome of one run a package is told test by test. */
const folder = import.meta.dirname;
const packages = globSync('**/Move.toml', { cwd: folder, exclude: (name) => name === 'node_modules' || name === 'build' })
  .map((file) => path.dirname(file))
  .toSorted();
const reports = await Promise.all(packages.map(async (name) => ({ name, report: await testPackage(path.join(folder, name)) })));

/** `good`, or Move's own words for what went wrong. */
const verdict = (passed: boolean, output: string): string => (passed ? 'good' : output);

describe.each(reports)('Move package $name', ({ report }) => {
  test('compiles and runs', () => {
    expect(verdict(report.ok, report.output)).toBe('good');
    expect(report.output).toContain(`Total tests: ${report.tests.length};`);
  });
  test.each([...report.tests])('$name', ({ passed }) => expect(verdict(passed, report.output)).toBe('good'));
});
