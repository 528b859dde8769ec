import { expect, test } from 'vitest';
import { fakeClock } from '../../kube/clock.ts';
import { silentLogger } from '../log/testing/silent-logger.ts';
import { ChainError } from './chain.ts';
import { GasWatch } from './gas-watch.ts';

test('P4: too little gas is told at each look, until somebody funds the account; a chain that is away changes nothing', async () => {
  const clock = fakeClock();
  const told: string[] = [];
  const answers: (bigint | undefined)[] = [50_000_000n, 9_999_999n, undefined, 9_999_999n, 10_000_000n];
  const gasBalance = async (): Promise<bigint> => {
    const answer = answers.shift();
    if (answer === undefined) throw new ChainError({ code: 'ChainUnavailable', detail: 'away' });
    return answer;
  };
  const watch = new GasWatch({ chain: { gasBalance }, clock, logger: silentLogger, onLow: ({ reason }) => told.push(reason) });
  expect(watch.low()).toBeUndefined();
  const over = new AbortController();
  const running = watch.run(over.signal);
  const seen = [];
  for (let i = 0; i < 5; i += 1) {
    await clock.untilSleeping();
    seen.push([watch.balance(), watch.low()?.reason, told.length]);
    clock.advance(60_000);
  }
  over.abort();
  await running;
  expect(seen).toEqual([
    [50_000_000n, undefined, 0],
    [9_999_999n, 'GasLow', 1],
    [9_999_999n, 'GasLow', 1],
    [9_999_999n, 'GasLow', 2],
    [10_000_000n, undefined, 2],
  ]);
});
