import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dayNumber, instantMs } from './log-time.ts';

describe('X2: times without clock or locale', () => {
  test('days agree with the calendar', () =>
    fc.assert(
      fc.property(fc.integer({ min: -700_000, max: 2_900_000 }), (day) => {
        const text = new Date(day * 86_400_000).toISOString().slice(0, 10);
        expect(dayNumber(text)).toBe(day);
      }),
    ));
  test.each(['2017-02-29', '2017-13-01', '2017-00-10', '2017-1-1', '17-01-01', '2017-10-04T', '+002017-01-01', ''])(
    'there is no day %j',
    (text) => expect(dayNumber(text)).toBeUndefined(),
  );
  test.each`
    text                          | ms
    ${'1970-01-01T00:00:00Z'}     | ${0}
    ${'2026-01-01T00:00:00.25Z'}  | ${1_767_225_600_250}
    ${'2026-01-01T23:59:59.999Z'} | ${1_767_311_999_999}
    ${'2026-01-01T24:00:00Z'}     | ${undefined}
    ${'2026-01-01T00:00:60Z'}     | ${undefined}
    ${'2026-02-30T00:00:00Z'}     | ${undefined}
    ${'2026-01-01T00:00:00+0100'} | ${undefined}
    ${'2026-01-01'}               | ${undefined}
    ${'yesterday'}                | ${undefined}
  `('$text is $ms', ({ text, ms }: { text: string; ms: number | undefined }) => expect(instantMs(text)).toBe(ms));
});
