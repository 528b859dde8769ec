import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeClock } from './clock.ts';
import { memoryLogger } from './testing/quiet.ts';
import { type Requeue, createWorkQueue } from './work-queue.ts';

/** Lets everything that is ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function aQueue(reconcile: (key: string, signal: AbortSignal) => Promise<Requeue | void>, concurrency = 1, maxDepth = 100) {
  const clock = fakeClock();
  const logger = memoryLogger();
  const refused: number[] = [];
  const queue = createWorkQueue<string>({
    reconcile,
    concurrency,
    maxDepth,
    backoff: { baseMs: 1000, capMs: 8000 },
    clock,
    random: () => 1,
    logger,
    observer: { depth: () => {}, finished: () => {}, refused: () => refused.push(1) },
  });
  return { clock, logger, queue, refused };
}

/** A reconcile that waits until it is let go. */
function gate() {
  const open = new Map<string, PromiseWithResolvers<Requeue | void>>();
  const started: string[] = [];
  return {
    started,
    reconcile: (key: string): Promise<Requeue | void> => {
      started.push(key);
      const turn = Promise.withResolvers<Requeue | void>();
      open.set(key, turn);
      return turn.promise;
    },
    letGo: async (key: string, result?: Requeue): Promise<void> => {
      open.get(key)?.resolve(result);
      await settle();
    },
    fail: async (key: string): Promise<void> => {
      open.get(key)?.reject(new Error('broken'));
      await settle();
    },
  };
}

describe('order and concurrency', () => {
  test('many asks for a waiting key are one; one ask while it runs is one more run, never at the same time', async () => {
    const { reconcile, started, letGo } = gate();
    const { queue } = aQueue(reconcile, 4);
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(started).toEqual(['a']);
    await letGo('a');
    expect(started).toEqual(['a', 'a']);
    await letGo('a');
    expect(started).toEqual(['a', 'a']);
  });

  test('no more than `concurrency` at once, first come first served', async () => {
    const { reconcile, started, letGo } = gate();
    const { queue } = aQueue(reconcile, 2);
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    expect(started).toEqual(['a', 'b']);
    expect(queue.depth()).toBe(2);
    await letGo('b');
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('whatever the order of asks and ends, a key never runs twice at once and no ask is lost', async () => {
    const step = fc.oneof(
      fc.constantFrom('a', 'b', 'c').map((key) => ({ add: key })),
      fc.constantFrom('a', 'b', 'c').map((key) => ({ end: key })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { reconcile, letGo } = gate();
        const running = new Set<string>();
        const lastAsk = new Map<string, number>();
        const lastRun = new Map<string, number>();
        let now = 0;
        const { queue } = aQueue(async (key) => {
          expect(running.has(key)).toBe(false);
          running.add(key);
          lastRun.set(key, now);
          await reconcile(key);
          running.delete(key);
        }, 2);
        for (const each of steps) {
          now += 1;
          if ('add' in each) {
            lastAsk.set(each.add, now);
            queue.add(each.add);
          } else await letGo(each.end);
        }
        for (let round = 0; round < 10; round += 1) for (const key of ['a', 'b', 'c']) await letGo(key);
        for (const [key, at] of lastAsk) expect(lastRun.get(key)).toBeGreaterThanOrEqual(at);
      }),
      { numRuns: 50 },
    );
  });

  test('a full queue refuses, and says so', () => {
    const { reconcile } = gate();
    const { queue, refused } = aQueue(reconcile, 1, 2);
    expect(['a', 'b', 'c', 'd'].map((key) => queue.add(key))).toEqual([true, true, true, false]);
    expect(queue.add('b')).toBe(true); // waits already
    expect(refused).toHaveLength(1);
  });
});

describe('time', () => {
  test('a failure comes again after 1, 2, 4, 8, 8 ... s; success sets that back', async () => {
    let healthy = false;
    let runs = 0;
    const { queue, clock, logger } = aQueue(() => {
      runs += 1;
      return healthy ? Promise.resolve() : Promise.reject(new Error('broken'));
    });
    queue.add('a');
    for (const waitMs of [1000, 2000, 4000, 8000, 8000]) {
      await settle();
      expect(clock.sleeping()).toEqual([waitMs]);
      clock.advance(waitMs);
    }
    healthy = true; // in time for the last of them
    await settle();
    expect(runs).toBe(6);
    expect(clock.sleeping()).toEqual([]);
    healthy = false;
    queue.add('a');
    await settle();
    expect(clock.sleeping()).toEqual([1000]);
    expect(logger.lines[0]).toMatchObject({ level: 'warn', fields: { key: 'a', failures: 1, message: 'broken' } });
  });

  test('a reconcile that throws outright counts as a failure', async () => {
    const { queue, clock } = aQueue(() => {
      throw new Error('broken');
    });
    queue.add('a');
    await settle();
    expect(clock.sleeping()).toEqual([1000]);
  });

  test('what failed waits, even if it was asked for while it ran', async () => {
    const { reconcile, started, fail } = gate();
    const { queue, clock } = aQueue(reconcile);
    queue.add('a');
    queue.add('a');
    await fail('a');
    expect(started).toEqual(['a']);
    clock.advance(1000);
    await settle();
    expect(started).toEqual(['a', 'a']);
  });

  test('requeueAfterMs and addAfter come when due; the earliest wish counts', async () => {
    const runs: number[] = [];
    const { queue, clock } = aQueue(async () => {
      runs.push(clock.monotonic());
      return runs.length === 1 ? { requeueAfterMs: 5000 } : undefined;
    });
    queue.add('a');
    await settle();
    queue.addAfter('a', 9000);
    queue.addAfter('a', 2000);
    clock.advance(2000);
    await settle();
    clock.advance(60_000);
    await settle();
    expect(runs).toEqual([0, 2000]);
  });
});

describe('liveness and stop', () => {
  test('progress is now while idle, and grows old while a reconcile hangs, even if others go on', async () => {
    const { reconcile, letGo } = gate();
    const { queue, clock } = aQueue(reconcile, 2);
    clock.advance(1000);
    expect(queue.lastProgressAt()).toBe(clock.now());
    queue.add('hangs');
    const since = clock.now();
    clock.advance(1000);
    queue.add('ok');
    await letGo('ok');
    clock.advance(1000);
    expect(queue.lastProgressAt()).toBe(since);
    await letGo('hangs');
    expect(queue.lastProgressAt()).toBe(clock.now());
  });

  test('stop runs what waits, takes nothing more, and forgets what is delayed', async () => {
    const { reconcile, started, letGo } = gate();
    const { queue, clock } = aQueue(reconcile);
    queue.add('a');
    queue.add('b');
    queue.addAfter('later', 1000);
    const stopped = queue.stop(10_000);
    expect(queue.add('c')).toBe(false);
    expect(queue.addAfter('c', 5)).toBe(false);
    await letGo('a');
    await letGo('b', { requeueAfterMs: 1 });
    expect(await stopped).toBe(0);
    expect(started).toEqual(['a', 'b']);
    expect(clock.sleeping()).toEqual([]);
  });

  test('at the end of the grace the rest is told to stop', async () => {
    let told = false;
    const { queue, clock } = aQueue(
      (_, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            told = true;
            resolve();
          });
        }),
    );
    queue.add('hangs');
    queue.add('waits');
    const stopped = queue.stop(10_000);
    clock.advance(10_000);
    expect(await stopped).toBe(2);
    expect(told).toBe(true);
  });
});
