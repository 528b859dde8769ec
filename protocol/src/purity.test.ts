import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Rule X2: rules read no clock, random source, locale, environment or timer. Imports are dependency-cruiser's part. */
const forbidden: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['the clock', /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)|\bperformance\b|\bTemporal\.Now\b/],
  ['local time', /\.(get|set)(FullYear|Month|Date|Day|Hours|Minutes|Seconds|Milliseconds|TimezoneOffset)\(|\.to(Date|Time)String\(/],
  ['a random source', /\bMath\.random\b|\brandom(Bytes|Int|UUID|FillSync?)\b|\bgetRandomValues\b|\bgenerateKeyPair/],
  ['the locale', /\bIntl\b|\.toLocale\w*\(|\.localeCompare\(/],
  ['process and environment', /\bprocess\b|\bglobalThis\b|\bnavigator\b/],
  ['a timer', /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/],
  ['the network', /\bfetch\(|\bWebSocket\b/],
  ['approximate mathematics', /\bMath\.(exp|expm1|log|log2|log10|log1p|pow|sin|cos|tan|sinh|cosh|tanh|cbrt|hypot)\b/],
  ['waiting', /\basync\b|\bawait\b|\bPromise\b/],
];

const root = import.meta.dirname;
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('testing/'),
);
/** Comments and strings may say anything. */
const code = (text: string): string =>
  text.replaceAll(/\/\*[^]*?\*\/|(?<![:'"`])\/\/[^\n]*/g, '').replaceAll(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");

test('the pattern finds what it is for', () => {
  expect(code("const a = 'Date.now'; // Date.now\n/* Date.now */ Date.now()")).toMatch(/^const a = ''; *\n Date\.now\(\)$/);
});

describe.each(sources)('X2: %s', (file) => {
  const text = code(readFileSync(join(root, file), 'utf8'));
  test.each(forbidden)('does not read %s', (_, pattern) => {
    expect(pattern.exec(text)?.[0]).toBeUndefined();
  });
});
