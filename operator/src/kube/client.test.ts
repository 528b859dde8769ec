import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from './client.ts';
import { type FakeClock, fakeClock } from './clock.ts';
import { ApiError } from './errors.ts';
import { ConfigMap, Node, Pod, scpKind } from './kinds.ts';
import type { ConfigMap as ConfigMapObject, KubeObject } from './objects.ts';
import { type ScriptedApi, kubeConfigFor, startScriptedApi } from './testing/scripted-api.ts';

let api: ScriptedApi;
let clock: FakeClock;
let cluster: Cluster;

beforeEach(async () => {
  api = await startScriptedApi();
  clock = fakeClock();
  cluster = createCluster(api.kubeConfig, {
    fieldManager: 'scs-test',
    userAgent: 'scs-test/1',
    requestTimeoutMs: 30_000,
    clock,
    random: () => 0,
  });
});
afterEach(() => api.close());

const ref = { kind: ConfigMap, namespace: 'a', name: 'x' };
const aConfigMap = (data: Record<string, string> = { k: 'v' }): ConfigMapObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'a', name: 'x' },
  data,
});
const stored = (object: KubeObject, resourceVersion = '7'): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, uid: 'u1', resourceVersion },
});
/** The fake clock's only sleepers are request timeouts (30 s) and retries: this waits for a retry and lets it come. */
const letRetry = async (): Promise<number> => {
  const ms = await clock.untilSleeping((each) => each !== 30_000);
  clock.advance(ms);
  return ms;
};
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  );

describe('requests', () => {
  test('a get carries credentials and user agent, and keeps times as strings', async () => {
    const got = cluster.get(ref);
    const request = await api.next();
    expect([request.method, request.path]).toEqual(['GET', '/api/v1/namespaces/a/configmaps/x']);
    expect(request.headers).toMatchObject({ authorization: 'Bearer test-token', 'user-agent': 'scs-test/1' });
    request.json(200, { ...aConfigMap(), metadata: { name: 'x', creationTimestamp: '2030-01-01T00:00:00Z' } });
    expect((await got)?.metadata.creationTimestamp).toBe('2030-01-01T00:00:00Z');
  });

  test('an object that is not there is undefined', async () => {
    const got = cluster.get(ref);
    (await api.next()).status(404, 'NotFound');
    expect(await got).toBeUndefined();
  });

  test('apply is server-side, forced, strict and under the fixed field manager', async () => {
    const applied = cluster.apply(aConfigMap());
    const request = await api.next();
    expect(request.method).toBe('PATCH');
    expect(request.headers['content-type']).toBe('application/apply-patch+yaml');
    expect(Object.fromEntries(request.query)).toEqual({ fieldManager: 'scs-test', fieldValidation: 'Strict', force: 'true' });
    request.json(200, stored(aConfigMap()));
    expect((await applied).metadata.uid).toBe('u1');
  });

  test('applyStatus goes to the subresource of the custom resource', async () => {
    const applied = cluster.applyStatus({
      apiVersion: 'scp.symphony.foundation/v1alpha1',
      kind: 'Task',
      metadata: { namespace: 'a', name: 't' },
    });
    const request = await api.next();
    expect(request.path).toBe('/apis/scp.symphony.foundation/v1alpha1/namespaces/a/tasks/t/status');
    request.json(200, { metadata: { name: 't' } });
    await applied;
  });

  test('a name cannot walk to another path', async () => {
    const got = cluster.get({ kind: ConfigMap, namespace: 'a', name: '../../secrets/s' });
    const request = await api.next();
    expect(request.path).toBe('/api/v1/namespaces/a/configmaps/..%2F..%2Fsecrets%2Fs');
    request.status(404, 'NotFound');
    await got;
    await expect(cluster.get({ kind: ConfigMap, namespace: 'a', name: '..' })).rejects.toThrow(TypeError);
    await expect(cluster.get({ kind: Pod, name: 'p' })).rejects.toThrow('needs a namespace');
  });

  test('a server without TLS is refused unless the kubeconfig says so', () => {
    const config = kubeConfigFor('http://127.0.0.1:1');
    const [server] = config.clusters;
    config.clusters = [{ ...server!, skipTLSVerify: false }];
    expect(() => createCluster(config)).toThrow('without TLS');
  });
});

describe('errors', () => {
  test.each`
    status | reason                     | code
    ${400} | ${'BadRequest'}            | ${'BadRequest'}
    ${401} | ${'Unauthorized'}          | ${'Unauthorized'}
    ${403} | ${'Forbidden'}             | ${'Forbidden'}
    ${409} | ${'Conflict'}              | ${'Conflict'}
    ${409} | ${'AlreadyExists'}         | ${'AlreadyExists'}
    ${410} | ${'Expired'}               | ${'Gone'}
    ${410} | ${''}                      | ${'Gone'}
    ${413} | ${'RequestEntityTooLarge'} | ${'TooLarge'}
    ${415} | ${'UnsupportedMediaType'}  | ${'Unsupported'}
    ${422} | ${'Invalid'}               | ${'Invalid'}
    ${504} | ${'Timeout'}               | ${'Timeout'}
  `('$status $reason is $code, at once', async ({ status, reason, code }: { status: number; reason: string; code: string }) => {
    const failure = failureOf(cluster.apply(aConfigMap()));
    (await api.next()).status(status, reason);
    expect(await failure).toMatchObject({ code, status, message: `scripted ${reason}` });
  });

  test('a reply that is no JSON still has a code', async () => {
    const failure = failureOf(cluster.create(aConfigMap()));
    const request = await api.next();
    request.json(502, undefined);
    expect(await failure).toMatchObject({ code: 'Unavailable', status: 502 });
  });

  test('an answer that is no object is Malformed', async () => {
    const failure = failureOf(cluster.get(ref));
    (await api.next()).json(200, { hello: 1 });
    expect(await failure).toMatchObject({ code: 'Malformed' });
  });
});

describe('another try', () => {
  test('429 with Retry-After waits as long as the server asks', async () => {
    const applied = cluster.apply(aConfigMap());
    (await api.next()).status(429, 'TooManyRequests', { 'retry-after': '3' });
    expect(await letRetry()).toBe(3000);
    (await api.next()).json(200, stored(aConfigMap()));
    expect((await applied).metadata.resourceVersion).toBe('7');
  });

  test('a server that wants more than a call may wait gets the error thrown to the queue', async () => {
    const failure = failureOf(cluster.apply(aConfigMap()));
    (await api.next()).status(429, 'TooManyRequests', { 'retry-after': '999999' });
    expect(await failure).toMatchObject({ code: 'TooManyRequests', retryAfterMs: 60_000 });
  });

  test('5xx is tried four times, with growing waits, then thrown', async () => {
    const failure = failureOf(cluster.get(ref));
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      (await api.next()).status(500, 'InternalError');
      if (attempt < 4) waits.push(await letRetry());
    }
    expect(await failure).toMatchObject({ code: 'Internal' });
    expect(waits).toEqual([100, 200, 400]);
  });

  test('a lost answer to apply is repeated and gives the same object', async () => {
    const states: unknown[] = [];
    const applied = cluster.apply(aConfigMap({ k: 'once' }));
    const first = await api.next();
    states.push(first.body); // the server applied it ...
    first.drop(); // ... and died before it could say so
    await letRetry();
    const second = await api.next();
    states.push(second.body);
    second.json(200, stored(aConfigMap({ k: 'once' })));
    expect((await applied).data).toEqual({ k: 'once' });
    expect(states[1]).toEqual(states[0]);
  });

  test('a lost answer to create is not repeated: the caller must look', async () => {
    const failure = failureOf(cluster.create(aConfigMap()));
    (await api.next()).drop();
    expect(await failure).toMatchObject({ code: 'Network' });
    expect(api.pending()).toBe(0);
  });

  test('a delete whose answer was lost is gone the second time; another uid is left alone', async () => {
    const deleted = cluster.delete(ref, { uid: 'u1' });
    const first = await api.next();
    expect(first.body).toMatchObject({ preconditions: { uid: 'u1' }, propagationPolicy: 'Background' });
    first.drop();
    await letRetry();
    (await api.next()).status(404, 'NotFound');
    expect(await deleted).toBe('gone');
    const other = cluster.delete(ref, { uid: 'u1' });
    (await api.next()).status(409, 'Conflict');
    expect(await other).toBe('gone');
  });

  test('a half-open socket is a Timeout, and the connection is given up', async () => {
    const failure = failureOf(cluster.get(ref));
    const request = await api.next();
    clock.advance(30_000);
    expect(await failure).toMatchObject({ code: 'Timeout' });
    await request.gone;
  });

  test('an answer that stops in the middle is a Timeout too', async () => {
    const failure = failureOf(cluster.get(ref));
    const request = await api.next();
    request.raw('{"metadata":');
    clock.advance(30_000);
    expect(await failure).toMatchObject({ code: 'Timeout' });
  });

  test('a caller that gives up gets Aborted, in a request and in the wait before another', async () => {
    const inRequest = new AbortController();
    const first = failureOf(cluster.get(ref, { signal: inRequest.signal }));
    await api.next();
    inRequest.abort();
    expect(await first).toMatchObject({ code: 'Aborted' });
    const inWait = new AbortController();
    const second = failureOf(cluster.get(ref, { signal: inWait.signal }));
    (await api.next()).status(503, 'ServiceUnavailable');
    await clock.untilSleeping((ms) => ms !== 30_000);
    inWait.abort();
    expect(await second).toMatchObject({ code: 'Aborted' });
  });
});

describe('list', () => {
  const page = (names: readonly string[], next = ''): unknown => ({
    metadata: { resourceVersion: '9', continue: next },
    items: names.map((name) => ({ metadata: { name } })),
  });

  test('reads all pages of one snapshot and gives items their kind', async () => {
    const listed = cluster.list(Node, { labelSelector: 'a=b', limit: 2 });
    const first = await api.next();
    expect(Object.fromEntries(first.query)).toEqual({ labelSelector: 'a=b', limit: '2' });
    first.json(200, page(['n1', 'n2'], 'more'));
    const second = await api.next();
    expect(second.query.get('continue')).toBe('more');
    second.json(200, page(['n3']));
    const { items, resourceVersion } = await listed;
    expect(resourceVersion).toBe('9');
    expect(items.map((i) => [i.apiVersion, i.kind, i.metadata.name])).toEqual([
      ['v1', 'Node', 'n1'],
      ['v1', 'Node', 'n2'],
      ['v1', 'Node', 'n3'],
    ]);
  });

  test('a snapshot that expires between pages is begun again', async () => {
    const listed = cluster.list(Node);
    (await api.next()).json(200, page(['n1'], 'more'));
    (await api.next()).status(410, 'Expired');
    const again = await api.next();
    expect(again.query.has('continue')).toBe(false);
    again.json(200, page(['n2']));
    expect((await listed).items.map((i) => i.metadata.name)).toEqual(['n2']);
  });

  test('more objects than wanted are refused', async () => {
    const failure = failureOf(cluster.list(Node, { maxItems: 1 }));
    (await api.next()).json(200, page(['n1', 'n2']));
    expect(await failure).toMatchObject({ code: 'TooLarge' });
  });
});

test('an eviction that a disruption budget forbids is refused, not repeated', async () => {
  const evicted = cluster.evict({ kind: Pod, namespace: 'a', name: 'p' });
  const request = await api.next();
  expect(request.path).toBe('/api/v1/namespaces/a/pods/p/eviction');
  request.status(429, 'TooManyRequests');
  expect(await evicted).toBe('refused');
});

test('an access review says what we may do', async () => {
  const allowed = cluster.accessReview({ verb: 'get', kind: scpKind('Vault'), namespace: 'ent-a' });
  const request = await api.next();
  expect(request.body).toMatchObject({ spec: { resourceAttributes: { verb: 'get', resource: 'vaults', namespace: 'ent-a' } } });
  request.json(201, { status: { allowed: false } });
  expect(await allowed).toBe(false);
});

test('an error says neither token nor body', async () => {
  const failure = await (async () => {
    const failed = failureOf(cluster.create(aConfigMap({ secret: 'hunter2' })));
    (await api.next()).drop();
    return failed;
  })();
  expect(failure).toBeInstanceOf(ApiError);
  expect(JSON.stringify(failure) + String(failure)).not.toMatch(/test-token|hunter2/);
});
