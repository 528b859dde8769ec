import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCluster } from './client.ts';
import { type FakeClock, fakeClock } from './clock.ts';
import { type EventRecorder, type EventRecorderOptions, type Occurrence, createEventRecorder } from './events.ts';
import type { KubeEvent } from './objects.ts';
import { memoryLogger } from './testing/quiet.ts';
import { type ScriptedApi, startScriptedApi } from './testing/scripted-api.ts';

let api: ScriptedApi;
let clock: FakeClock;
let recorder: EventRecorder;
let logger: ReturnType<typeof memoryLogger>;

beforeEach(async () => {
  api = await startScriptedApi();
  clock = fakeClock();
  logger = memoryLogger();
  start();
});
afterEach(() => api.close());

function start(overrides: Partial<EventRecorderOptions> = {}): void {
  const cluster = createCluster(api.kubeConfig, { fieldManager: 'scs-test', clock, random: () => 0 });
  recorder = createEventRecorder({
    cluster,
    controller: 'scp.symphony.foundation/master',
    instance: 'master-0',
    clock,
    logger,
    ...overrides,
  });
}

const task = {
  apiVersion: 'scp.symphony.foundation/v1alpha1',
  kind: 'Task',
  metadata: { namespace: 'retail', name: 'coffee', uid: 'u1', resourceVersion: '5' },
};
const admitted = (over: Partial<Occurrence> = {}): Occurrence => ({
  regarding: task,
  type: 'Normal',
  reason: 'Admitted',
  action: 'Admit',
  note: 'The task was admitted.',
  ...over,
});
/** Answers the next request as the API server would, and gives the event it carried. */
const accept = async (): Promise<KubeEvent> => {
  const request = await api.next();
  expect([request.method, request.headers['content-type']]).toEqual(['PATCH', 'application/apply-patch+yaml']);
  request.json(200, request.body);
  return request.body as KubeEvent;
};

test('an event says what happened to what, by whom and when, to the microsecond', async () => {
  recorder.record(admitted());
  const event = await accept();
  await recorder.flush();
  expect(event).toMatchObject({
    apiVersion: 'events.k8s.io/v1',
    metadata: { namespace: 'retail' },
    eventTime: '2030-01-01T00:00:00.000000Z',
    reportingController: 'scp.symphony.foundation/master',
    reportingInstance: 'master-0',
    reason: 'Admitted',
    action: 'Admit',
    regarding: { kind: 'Task', name: 'coffee', namespace: 'retail', uid: 'u1' },
  });
  expect(event).not.toHaveProperty('series');
  expect(recorder.counts()).toEqual({ written: 1, failed: 0, dropped: 0 });
});

test('repetitions become a series under the same name, written at each doubling', async () => {
  recorder.record(admitted());
  const first = await accept();
  await recorder.flush();
  const counts: (number | undefined)[] = [];
  for (let count = 2; count <= 9; count += 1) {
    clock.advance(1000);
    recorder.record(admitted());
    if (count !== 2 && count !== 4 && count !== 8) continue;
    const event = await accept();
    expect([event.metadata.name, event.eventTime]).toEqual([first.metadata.name, first.eventTime]);
    counts.push(event.series?.count);
    await recorder.flush();
  }
  expect(counts).toEqual([2, 4, 8]);
  expect(api.pending()).toBe(0);
});

test('after six quiet minutes it is a new event', async () => {
  recorder.record(admitted());
  const first = await accept();
  await recorder.flush();
  clock.advance(6 * 60_000);
  recorder.record(admitted());
  const second = await accept();
  expect(second.metadata.name).not.toBe(first.metadata.name);
  expect(second).not.toHaveProperty('series');
});

test('a note is cut at 1 KiB, between characters', async () => {
  recorder.record(admitted({ note: `x${'ü'.repeat(2000)}` }));
  const { note } = await accept();
  expect(Buffer.byteLength(note ?? '')).toBe(1023);
  expect(note).not.toContain('\uFFFD');
});

test('an object of the whole cluster gets its events in `default`', async () => {
  recorder.record(admitted({ regarding: { kind: 'Epoch', metadata: { name: 'epoch-7' } } }));
  expect((await accept()).metadata.namespace).toBe('default');
});

test('a lost answer is repeated under the same name; a refusal is counted and logged, and thrown at nobody', async () => {
  recorder.record(admitted());
  const lost = await api.next();
  lost.drop();
  clock.advance(await clock.untilSleeping((ms) => ms < 30_000));
  expect((await accept()).metadata.name).toBe((lost.body as KubeEvent).metadata.name);
  await recorder.flush();
  recorder.record(admitted({ reason: 'Other' }));
  (await api.next()).status(403, 'Forbidden');
  await recorder.flush();
  expect(recorder.counts()).toEqual({ written: 1, failed: 1, dropped: 0 });
  expect(logger.lines.map((l) => l.message)).toEqual(['an event could not be written']);
});

test('beyond the rate events are dropped and counted; time brings the rate back', async () => {
  start({ perSecond: 1, burst: 2 });
  for (let i = 0; i < 5; i += 1) recorder.record(admitted({ reason: `R${i}` }));
  await accept();
  await accept();
  await recorder.flush();
  expect(recorder.counts()).toEqual({ written: 2, failed: 0, dropped: 3 });
  clock.advance(1000);
  recorder.record(admitted({ reason: 'Later' }));
  expect((await accept()).reason).toBe('Later');
});

test('the queue is bounded while the API server is silent', async () => {
  start({ burst: 1000, maxWaiting: 2 });
  for (let i = 0; i < 5; i += 1) recorder.record(admitted({ reason: `R${i}` }));
  expect(recorder.counts().dropped).toBe(2); // one in flight, two waiting
  for (let i = 0; i < 3; i += 1) await accept();
  await recorder.flush();
});
