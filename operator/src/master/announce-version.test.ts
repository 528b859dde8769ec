/** X4: what a build carries is said once, and again when the build is another. */
import { World } from '@scs/protocol/testing/world.ts';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { expect, test } from 'vitest';
import { realClock } from '../kube/clock.ts';
import { announcement } from './announce-version.ts';
import { silentLogger } from './log/testing/silent-logger.ts';

test('X4: the rules take it, and then nothing is left to say until the build is another', () => {
  const world = new World();
  const by = (newest?: number) =>
    announcement({
      genesisDigest: world.genesisDigest,
      index: 1,
      seed: masterKey(1).seed,
      state: () => world.state,
      propose: () => Promise.reject(new Error('not here')),
      clock: realClock,
      logger: silentLogger,
      ...(newest === undefined ? {} : { newest }),
    });
  for (const newest of [undefined, 2, 1]) {
    const command = by(newest);
    expect(command?.type).toBe('version.announce');
    if (command) world.block(command);
    expect(world.state.must('version', '1').newest).toBe(newest ?? 1);
    expect(by(newest)).toBeUndefined();
  }
});
