import { pino } from 'pino';
import { expect, test } from 'vitest';
import { noteSlow } from './slow.ts';

/** What the log says of a step, but for its time and level. */
const saidOf = (ms: number): unknown => {
  const lines: string[] = [];
  noteSlow(pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) }), 'reserve', ms);
  return lines.map((line) => JSON.parse(line) as unknown);
};

test.each([
  [0, undefined],
  [999, undefined],
  [1000, 1],
  [9999, 1],
  [10_000, 10],
  [3_600_000, 60],
])('B4: of a step of %i ms the log has its name and the class %s, and nothing else', (ms, overSeconds) => {
  expect(saidOf(ms)).toEqual(overSeconds === undefined ? [] : [{ level: 40, step: 'reserve', overSeconds, msg: 'slow' }]);
});
