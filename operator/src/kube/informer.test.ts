import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCluster } from './client.ts';
import { type FakeClock, fakeClock } from './clock.ts';
import { type Change, type Informer, type InformerOptions, startInformer } from './informer.ts';
import { ConfigMap } from './kinds.ts';
import type { ConfigMap as ConfigMapObject } from './objects.ts';
import { memoryLogger } from './testing/quiet.ts';
import { type Exchange, type ScriptedApi, startScriptedApi } from './testing/scripted-api.ts';

let api: ScriptedApi;
let clock: FakeClock;
let informer: Informer<ConfigMapObject> | undefined;
let told: string[];
let logger: ReturnType<typeof memoryLogger>;
let wakeTold: (() => void) | undefined;

beforeEach(async () => {
  api = await startScriptedApi();
  clock = fakeClock();
  logger = memoryLogger();
  told = [];
});
afterEach(async () => {
  await informer?.stop();
  await api.close();
});

const inactivityMs = 120_000;
/** With random() = 0 the first wait of the backoff is this. */
const firstBackoffMs = 250;
const word = ({ type, object }: Change<ConfigMapObject>): string => `${type} ${object.metadata.name}@${object.metadata.resourceVersion}`;

function start(overrides: Partial<InformerOptions<ConfigMapObject>> = {}): void {
  const cluster = createCluster(api.kubeConfig, { fieldManager: 'scs-test', clock, random: () => 0 });
  informer = startInformer<ConfigMapObject>({
    cluster,
    kind: ConfigMap,
    namespace: 'a',
    onChange: (change) => {
      told.push(word(change));
      wakeTold?.();
    },
    clock,
    random: () => 0,
    logger,
    inactivityMs,
    ...overrides,
  });
}

const item = (name: string, resourceVersion: string, uid = `uid-${name}`): object => ({
  metadata: { namespace: 'a', name, uid, resourceVersion },
});
const listOf = (resourceVersion: string, ...items: object[]): object => ({ metadata: { resourceVersion }, items });
const untilTold = async (count: number): Promise<void> => {
  while (told.length < count) {
    await new Promise<void>((resolve) => {
      wakeTold = resolve;
    });
  }
};
const letRetry = async (ms: number): Promise<void> => {
  await clock.untilSleeping((each) => each === ms);
  clock.advance(ms);
};
const nextWatch = async (from: string): Promise<Exchange> => {
  const watch = await api.next();
  expect([watch.query.get('watch'), watch.query.get('resourceVersion')]).toEqual(['true', from]);
  return watch;
};
const nextList = async (answer: object): Promise<void> => {
  const list = await api.next();
  expect(list.query.has('watch')).toBe(false);
  list.json(200, answer);
};
/** Starts, lists x@1 and opens the first watch. */
const watching = async (overrides: Partial<InformerOptions<ConfigMapObject>> = {}): Promise<Exchange> => {
  start(overrides);
  await nextList(listOf('10', item('x', '1')));
  return nextWatch('10');
};

describe('list and watch', () => {
  test('lists page by page, watches from there with bookmarks, and tells each change once', async () => {
    start({ pageSize: 1 });
    const first = await api.next();
    expect(first.query.get('limit')).toBe('1');
    first.json(200, { metadata: { resourceVersion: '10', continue: 'c' }, items: [item('x', '1')] });
    await nextList(listOf('10', item('y', '2')));
    await informer!.hasSynced();
    expect(told).toEqual(['added x@1', 'added y@2']);

    const watch = await nextWatch('10');
    expect([watch.query.get('allowWatchBookmarks'), watch.query.get('timeoutSeconds')]).toEqual(['true', '270']);
    watch.line({ type: 'MODIFIED', object: item('x', '11') });
    watch.line({ type: 'MODIFIED', object: item('x', '11') }); // the same event twice
    watch.line({ type: 'ADDED', object: item('z', '12') });
    watch.line({ type: 'DELETED', object: item('y', '13') });
    watch.line({ type: 'DELETED', object: item('y', '13') });
    watch.line({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } });
    watch.end();
    await nextWatch('20'); // resumes from the bookmark
    expect(told.slice(2)).toEqual(['modified x@11', 'added z@12', 'deleted y@13']);
    expect(informer!.list().map((o) => o.metadata.name)).toEqual(['x', 'z']);
    expect(informer!.get('a', 'x')?.metadata.resourceVersion).toBe('11');
    expect(informer!.get('a', 'y')).toBeUndefined();
  });

  test('an object made anew under the same name is a deletion and an addition', async () => {
    const watch = await watching();
    watch.line({ type: 'MODIFIED', object: item('x', '11', 'another') });
    await untilTold(3);
    expect(told).toEqual(['added x@1', 'deleted x@1', 'added x@11']);
  });

  test('a late deletion of the object before does not remove the one now', async () => {
    const watch = await watching();
    watch.line({ type: 'DELETED', object: item('x', '11', 'another') });
    watch.line({ type: 'ADDED', object: item('end', '12') });
    await untilTold(2);
    expect(told).toEqual(['added x@1', 'added end@12']);
  });

  test('who owns which field is not kept in memory', async () => {
    start();
    await nextList(listOf('10', { metadata: { namespace: 'a', name: 'x', uid: 'u', resourceVersion: '1', managedFields: [{}] } }));
    await informer!.hasSynced();
    expect(informer!.get('a', 'x')?.metadata).not.toHaveProperty('managedFields');
  });
});

describe('what goes wrong', () => {
  test.each([
    ['by HTTP status', (watch: Exchange) => watch.status(410, 'Expired')],
    ['inside the stream', (watch: Exchange) => watch.line({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })],
  ])('410 %s: lists again, at once, and tells what vanished meanwhile', async (_, fail) => {
    fail(await watching());
    await nextList(listOf('30', item('y', '21')));
    await nextWatch('30');
    expect(told).toEqual(['added x@1', 'deleted x@1', 'added y@21']);
  });

  test('410 again and again waits in between', async () => {
    (await watching()).status(410, 'Expired');
    await nextList(listOf('11', item('x', '1')));
    (await nextWatch('11')).status(410, 'Expired');
    await letRetry(2 * firstBackoffMs); // the second failure in a row
    await nextList(listOf('12', item('x', '1')));
    await nextWatch('12');
    expect(told).toEqual(['added x@1']);
  });

  test('5xx and cut connections: the watch resumes where it was, with growing waits, however often', async () => {
    (await watching()).status(500, 'InternalError');
    await letRetry(firstBackoffMs);
    (await nextWatch('10')).drop();
    await letRetry(2 * firstBackoffMs);
    (await nextWatch('10')).status(503, 'ServiceUnavailable');
    await letRetry(4 * firstBackoffMs);
    const watch = await nextWatch('10');
    watch.line({ type: 'ADDED', object: item('y', '11') });
    await untilTold(2);
    watch.drop();
    await letRetry(firstBackoffMs); // success has set the wait back
    await nextWatch('11');
    expect(told).toEqual(['added x@1', 'added y@11']);
  });

  test('the wait is capped', async () => {
    start({ backoff: { baseMs: 1000, capMs: 4000 } });
    for (const waitMs of [500, 1000, 2000, 2000, 2000]) {
      (await api.next()).status(403, 'Forbidden');
      await letRetry(waitMs);
    }
    await nextList(listOf('10'));
    await informer!.hasSynced();
    expect(logger.lines).toHaveLength(5);
  });

  test('429: waits as long as the server asks', async () => {
    (await watching()).status(429, 'TooManyRequests', { 'retry-after': '17' });
    await letRetry(17_000);
    await nextWatch('10');
    expect(told).toEqual(['added x@1']);
  });

  test('a half-open socket (accepted, then silence) is cut when no answer came in time', async () => {
    const watch = await watching();
    await clock.untilSleeping((ms) => ms === 30_000);
    clock.advance(30_000);
    await watch.gone;
    await letRetry(firstBackoffMs);
    await nextWatch('10');
    expect(logger.lines[0]?.fields).toMatchObject({ code: 'Timeout' });
  });

  test('a watch that falls silent is cut after the inactivity limit, and resumes', async () => {
    const watch = await watching();
    watch.line({ type: 'ADDED', object: item('y', '11') });
    await untilTold(2);
    clock.advance(inactivityMs - 1);
    await clock.untilSleeping((ms) => ms === inactivityMs);
    expect(logger.lines).toEqual([]);
    clock.advance(1);
    await watch.gone;
    await letRetry(firstBackoffMs);
    await nextWatch('11');
    expect(logger.lines[0]?.fields).toMatchObject({ code: 'Timeout', message: `the watch was silent for ${inactivityMs} ms` });
  });

  test('bookmarks keep a quiet watch alive', async () => {
    const watch = await watching();
    watch.line({ type: 'ADDED', object: item('w', '11') });
    await untilTold(2);
    const before = informer!.lastEventAt();
    clock.advance(inactivityMs - 1000);
    watch.line({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '15' } } });
    watch.line({ type: 'ADDED', object: item('y', '16') });
    await untilTold(3);
    expect(informer!.lastEventAt() - before).toBe(inactivityMs - 1000);
    clock.advance(1000);
    await clock.untilSleeping((ms) => ms === inactivityMs - 1000); // looks again when the limit counts from the bookmark
    watch.line({ type: 'ADDED', object: item('z', '17') });
    await untilTold(4);
    expect(api.pending()).toBe(0);
  });

  test('a watch that ends as soon as it begins does not spin', async () => {
    const watch = await watching();
    watch.raw('\n');
    watch.end();
    await letRetry(firstBackoffMs);
    await nextWatch('10');
    expect(logger.lines[0]?.fields).toMatchObject({ code: 'Unavailable' });
  });

  test('a line without end is cut, and everything listed again', async () => {
    const watch = await watching({ maxLineBytes: 1000 });
    watch.raw(`{"type":"ADDED","object":{"metadata":{"name":"${'x'.repeat(2000)}`);
    await watch.gone;
    await letRetry(firstBackoffMs);
    await nextList(listOf('11', item('x', '1')));
    await nextWatch('11');
    expect(logger.lines[0]?.fields).toMatchObject({ code: 'TooLarge' });
  });

  test.each(['not json', '{"type":"SURPRISE","object":{}}', '{"type":"ADDED","object":{}}', '[]'])(
    'a line that is no event (%s) leads to a new list',
    async (line) => {
      const watch = await watching();
      watch.raw(`${line}\n`);
      await letRetry(firstBackoffMs);
      await nextList(listOf('11', item('x', '1')));
      await nextWatch('11');
      expect(logger.lines[0]?.fields).toMatchObject({ code: 'Malformed' });
    },
  );

  test('a line cut in two, and a last line without its end, are read rightly', async () => {
    const watch = await watching();
    const line = JSON.stringify({ type: 'ADDED', object: item('ü', '11') });
    watch.raw(line.slice(0, 20));
    watch.raw(`${line.slice(20)}\n{"type":"ADD`);
    await untilTold(2);
    watch.end();
    await nextWatch('11');
    expect(told[1]).toBe('added ü@11');
  });

  test('a handler that throws or rejects is logged and stops nothing', async () => {
    const heard: string[] = [];
    const watch = await watching({
      onChange: (change) => {
        heard.push(word(change));
        wakeTold?.();
        told.push('');
        if (heard.length === 1) throw new Error('handler broke');
        return Promise.reject(new Error('handler broke later'));
      },
    });
    watch.line({ type: 'ADDED', object: item('y', '11') });
    watch.line({ type: 'ADDED', object: item('z', '12') });
    await untilTold(3);
    expect(heard).toEqual(['added x@1', 'added y@11', 'added z@12']);
    expect(logger.lines.filter((l) => l.message === 'an informer handler failed').length).toBeGreaterThanOrEqual(2);
  });
});

test('resync lists again, repairs what the watch missed, and tells everything once more', async () => {
  const watch = await watching({ resyncMs: 60_000 });
  await clock.untilSleeping((ms) => ms === 54_000);
  clock.advance(54_000);
  await watch.gone;
  await nextList(listOf('40', item('x', '1'), item('missed', '35')));
  await nextWatch('40');
  expect(told).toEqual(['added x@1', 'modified x@1', 'added missed@35']);
});

describe('stop', () => {
  test('during a watch, a list or a wait nothing is left open or told', async () => {
    const watch = await watching();
    await informer!.stop();
    await watch.gone;
    expect(clock.sleeping()).toEqual([]);

    start();
    const list = await api.next();
    await informer!.stop();
    await list.gone;
    await expect(informer!.hasSynced()).rejects.toMatchObject({ code: 'Aborted' });

    start();
    (await api.next()).status(403, 'Forbidden');
    await clock.untilSleeping((ms) => ms === firstBackoffMs);
    await informer!.stop();
    expect(clock.sleeping()).toEqual([]);
    expect(api.pending()).toBe(0);
  });

  test('by signal', async () => {
    const controller = new AbortController();
    const watch = await watching({ signal: controller.signal });
    controller.abort();
    await watch.gone;
    await informer!.stop();
    expect(clock.sleeping()).toEqual([]);
  });
});
