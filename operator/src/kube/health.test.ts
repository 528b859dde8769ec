import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeClock, fakeClock } from './clock.ts';
import { type Health, startHealth } from './health.ts';
import { informerMetrics, queueMetrics } from './metrics.ts';
import { memoryLogger } from './testing/quiet.ts';

let health: Health;
let clock: FakeClock;

beforeEach(async () => {
  clock = fakeClock();
  health = await startHealth({ port: 0, host: '127.0.0.1', clock, logger: memoryLogger() });
});
afterEach(() => health.close());

const ask = async (path: string, method = 'GET'): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${health.port}${path}`, { method });
  return [response.status, await response.text()];
};

test('liveness follows progress: a loop that stands still too long fails it, by name', async () => {
  let progressAt = clock.now();
  const forget = health.watchLoop({ name: 'tasks', lastProgressAt: () => progressAt, maxAgeMs: 60_000 });
  clock.advance(60_000);
  expect(await ask('/livez')).toEqual([200, 'ok\n']);
  clock.advance(1);
  expect(await ask('/livez')).toEqual([503, 'tasks: no progress for more than 60000 ms\n']);
  progressAt = clock.now();
  expect((await ask('/livez'))[0]).toBe(200);
  clock.advance(60_001);
  forget();
  expect((await ask('/livez'))[0]).toBe(200);
});

test('readiness is the sum of its conditions', async () => {
  let synced = false;
  health.require({ name: 'informers', ready: () => synced });
  expect(await ask('/readyz')).toEqual([503, 'informers: not ready\n']);
  synced = true;
  expect(await ask('/readyz')).toEqual([200, 'ok\n']);
});

test('metrics of queues and informers, several in one registry', async () => {
  queueMetrics(health.registry, 'tasks').finished('failed', 120);
  queueMetrics(health.registry, 'vaults').depth(3);
  informerMetrics(health.registry, 'pods').failed('Gone');
  const [status, text] = await ask('/metrics');
  expect(status).toBe(200);
  expect(text).toContain('scs_reconcile_seconds_count{queue="tasks",outcome="failed"} 1');
  expect(text).toContain('scs_queue_depth{queue="vaults"} 3');
  expect(text).toContain('scs_informer_failures_total{kind="pods",code="Gone"} 1');
  expect(text).toContain('process_resident_memory_bytes');
});

test('nothing else is served, and a check that throws is an error, not a crash', async () => {
  expect((await ask('/'))[0]).toBe(404);
  expect((await ask('/livez', 'POST'))[0]).toBe(405);
  health.require({
    name: 'broken',
    ready: () => {
      throw new Error('broken');
    },
  });
  expect((await ask('/readyz'))[0]).toBe(500);
});
