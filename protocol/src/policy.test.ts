import { expect, test } from 'vitest';
import { Policy } from './policy.ts';
import { aPolicy } from './testing/genesis.ts';

const policy = aPolicy();
const withWindows = (windows: Partial<Policy['windows']>) => Policy.safeParse({ ...policy, windows: { ...policy.windows, ...windows } });

test('T5: every window is at least twenty clock bounds', () => {
  expect(withWindows({ clockBoundMs: 300, challengeMs: 6000 }).success).toBe(true);
  for (const window of ['answerMs', 'executionMs', 'verificationMs', 'challengeMs', 'maxTaskMs', 'aggregatorReplaceMs'] as const) {
    const checked = withWindows({ clockBoundMs: 300, [window]: 5999 });
    expect(checked.error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
      [`windows.${window}`, 'must be at least 20 times the clock bound (6000 ms), so that no clock within the bound can eat it up (T5)'],
    ]);
  }
});
