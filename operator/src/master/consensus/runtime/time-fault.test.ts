import { expect, test } from 'vitest';
import { timeFault } from './time-fault.ts';

test.each([
  ['before the parent', 999, 1_000, 5_000, false, 'TimeBeforeParent'],
  ['within the bound', 5_400, 1_000, 5_000, false, undefined],
  ['ahead of the clock', 5_501, 1_000, 5_000, false, 'TimeOutOfBound'],
  ['ahead, and offered again', 5_501, 1_000, 5_000, true, 'TimeOutOfBound'],
  ['long ago', 1_000, 1_000, 5_000, false, 'TimeOutOfBound'],
  ['long ago, and offered again', 1_000, 1_000, 5_000, true, undefined],
  ['as the parent, which is ahead of this clock', 6_000, 6_000, 5_000, false, undefined],
])('T5: a time %s', (_what, time, parent, clock, again, code) => expect(timeFault(time, parent, clock, 500, again)?.code).toBe(code));
