import { expect, test } from 'vitest';
import { csvOf } from './csv.ts';

test.each`
  value                | cell
  ${'coffee, "black"'} | ${'"coffee, ""black"""'}
  ${'two\nlines'}      | ${'"two\nlines"'}
  ${'=HYPERLINK("x")'} | ${'"\'=HYPERLINK(""x"")"'}
  ${'+1-800'}          | ${'"\'+1-800"'}
  ${'@SUM(A1)'}        | ${'"\'@SUM(A1)"'}
  ${'-5'}              | ${'"-5"'}
  ${''}                | ${'""'}
  ${null}              | ${''}
`('C4: $value is no formula and one cell', ({ value, cell }: { value: string | null; cell: string }) => {
  expect(csvOf(['a'], [{ a: value }])).toBe(`"a"\r\n${cell}\r\n`);
});
