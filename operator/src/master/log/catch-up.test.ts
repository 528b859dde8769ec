/** N1: a peer that gives blocks slowly, or none, keeps nobody from fetching them elsewhere. */
import { expect, test } from 'vitest';
import { fakeClock } from '../../kube/clock.ts';
import { CatchUp } from './catch-up.ts';
import type { CertifiedBlock, Peer } from './peers.ts';
import type { Replica } from './replica.ts';
import { silentLogger } from './testing/silent-logger.ts';

const head = { genesis: '00'.repeat(32), generation: 0n, height: 1n, stateRoot: '00'.repeat(32), block: '00'.repeat(32) };
const block: CertifiedBlock = { bytes: Uint8Array.of(1), certificate: { head, votes: [] } };

test('while one peer hangs, another is asked, each once at a time', async () => {
  const asked: number[] = [];
  const hangs = async function* (signal: AbortSignal): AsyncGenerator<CertifiedBlock> {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    yield block;
  };
  const gives = async function* (): AsyncGenerator<CertifiedBlock> {
    yield block;
  };
  const peer = (index: number): Pick<Peer, 'index' | 'sync'> => ({
    index,
    sync: (_from, signal) => {
      asked.push(index);
      return index === 1 ? hangs(signal) : gives();
    },
  });
  let height = 0n;
  const replica: Pick<Replica, 'height' | 'decide'> = {
    height: () => height,
    decide: () => {
      height += 1n;
      return 'decided';
    },
  };
  const stop = new AbortController();
  const catchUp = new CatchUp(replica, [peer(1), peer(2)], silentLogger, fakeClock(0), stop.signal);
  const hanging = catchUp.from(1);
  await catchUp.from(2);
  expect(height).toBe(1n);
  void catchUp.from(1);
  expect(asked).toEqual([1, 2]);
  stop.abort();
  await hanging;
});
