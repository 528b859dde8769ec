import { describe, expect, test } from 'vitest';
import type { Cluster } from './client.ts';
import { type FakeClock, fakeClock } from './clock.ts';
import { ApiError } from './errors.ts';
import { type LeaseHandle, type LeaseOptions, runLease } from './lease.ts';
import type { Lease } from './objects.ts';
import { memoryLogger } from './testing/quiet.ts';

const durationMs = 15_000;
const renewMs = 2_000;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The two verbs that a lease needs, with the API server's optimistic concurrency, and a switch for its faults. */
function aLeaseServer() {
  let stored: Lease | undefined;
  let version = 0;
  const faults = { unreachable: new Set<string>(), loseAnswer: new Set<string>() };
  const put = (lease: Lease): Lease => {
    version += 1;
    stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(version) } };
    return stored;
  };
  const reach = (who: string): void => {
    if (faults.unreachable.has(who)) throw new ApiError('Network', 0, 'unreachable');
  };
  const answer = (who: string, lease: Lease): Lease => {
    if (faults.loseAnswer.has(who)) throw new ApiError('Network', 0, 'answer lost');
    return lease;
  };
  const clusterFor = (who: string): Pick<Cluster, 'get' | 'create' | 'replace'> => ({
    get: async () => {
      reach(who);
      return structuredClone(stored) as never;
    },
    create: async (lease) => {
      reach(who);
      if (stored !== undefined) throw new ApiError('AlreadyExists', 409, 'exists');
      return answer(who, put(lease as Lease)) as never;
    },
    replace: async (lease) => {
      reach(who);
      if (stored === undefined || stored.metadata.resourceVersion !== lease.metadata.resourceVersion)
        throw new ApiError('Conflict', 409, 'stale');
      return answer(who, put(lease as Lease)) as never;
    },
  });
  return { clusterFor, faults, holder: () => stored?.spec?.holderIdentity, lease: () => stored };
}

interface Candidate {
  readonly handle: LeaseHandle;
  readonly log: string[];
  signal(): AbortSignal | undefined;
}

function candidate(
  server: ReturnType<typeof aLeaseServer>,
  identity: string,
  clock: FakeClock,
  overrides: Partial<LeaseOptions> = {},
): Candidate {
  const log: string[] = [];
  let latest: AbortSignal | undefined;
  const handle = runLease({
    cluster: server.clusterFor(identity) as Cluster,
    namespace: 'scs',
    name: 'proposer',
    identity,
    durationMs,
    renewMs,
    clock,
    random: () => 0.5,
    logger: memoryLogger(),
    onStarted: (signal) => {
      log.push('started');
      latest = signal;
    },
    onStopped: () => log.push('stopped'),
    ...overrides,
  });
  return { handle, log, signal: () => latest };
}

/** Lets time pass for one or more candidates, in small steps, as fast as each one's clock runs. */
async function pass(ms: number, ...clocks: FakeClock[]): Promise<void> {
  for (let at = 0; at < ms; at += 500) {
    await settle();
    for (const clock of clocks) clock.advance(500);
  }
  await settle();
}

describe('one candidate', () => {
  test('takes a lease that is not there, with micro time, and renews it', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    const a = candidate(server, 'a', clock);
    await pass(0, clock);
    expect(a.log).toEqual(['started']);
    expect(a.handle.isHolder()).toBe(true);
    expect(server.lease()?.spec).toMatchObject({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 1,
      renewTime: '2030-01-01T00:00:00.000000Z',
    });
    await pass(60_000, clock);
    expect(a.log).toEqual(['started']);
    expect(server.lease()?.spec).toMatchObject({ leaseTransitions: 1, acquireTime: '2030-01-01T00:00:00.000000Z' });
    await a.handle.stop();
    expect([a.log, server.holder(), clock.sleeping()]).toEqual([['started', 'stopped'], '', []]);
  });

  test('resigns before the lease runs out when the API server is not to be reached', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    const a = candidate(server, 'a', clock);
    await pass(0, clock);
    server.faults.unreachable.add('a');
    await pass(9_500, clock);
    expect(a.handle.isHolder()).toBe(true);
    await pass(500, clock);
    expect([a.handle.isHolder(), a.log, a.signal()?.aborted]).toEqual([false, ['started', 'stopped'], true]);
    server.faults.unreachable.clear();
    await pass(renewMs, clock);
    expect(a.log).toEqual(['started', 'stopped', 'started']);
  });

  test('a request that hangs keeps nobody in office', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    const hanging = { ...server.clusterFor('a') };
    const a = candidate(server, 'a', clock, { cluster: hanging as Cluster });
    await pass(0, clock);
    hanging.replace = () => new Promise(() => {});
    await pass(renewMs + 10_000, clock);
    expect(a.log).toEqual(['started', 'stopped']);
  });

  test('a lost answer to its own renewal is found out and made up for', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    const a = candidate(server, 'a', clock);
    await pass(0, clock);
    server.faults.loseAnswer.add('a');
    await pass(2 * renewMs, clock);
    server.faults.loseAnswer.clear();
    await pass(30_000, clock);
    expect(a.log).toEqual(['started']);
  });

  test('work that fails under the lease starts again', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    let terms = 0;
    const a = candidate(server, 'a', clock, {
      onStarted: () => {
        terms += 1;
        return terms === 1 ? Promise.reject(new Error('work broke')) : Promise.resolve();
      },
    });
    await pass(renewMs, clock);
    expect([terms, a.handle.isHolder()]).toEqual([2, true]);
  });
});

describe('two candidates', () => {
  test('a stale write is a Conflict: one wins, the other waits', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    const a = candidate(server, 'a', clock);
    const b = candidate(server, 'b', clock);
    await pass(60_000, clock);
    expect([a.log, b.log, b.handle.holder()]).toEqual([['started'], [], 'a']);
  });

  test('a lease given back is taken at the next look', async () => {
    const clock = fakeClock();
    const server = aLeaseServer();
    const a = candidate(server, 'a', clock);
    const b = candidate(server, 'b', clock);
    await pass(0, clock);
    await a.handle.stop();
    await pass(renewMs, clock);
    expect([b.log, server.holder(), server.lease()?.spec?.leaseTransitions]).toEqual([['started'], 'b', 2]);
  });

  test.each([
    ['an hour behind', -3_600_000],
    ['an hour ahead', 3_600_000],
  ])('with clocks apart (b is %s) they are never both in office, and b follows a who is cut off', async (_, apart) => {
    const [clockA, clockB] = [fakeClock(1_900_000_000_000), fakeClock(1_900_000_000_000 + apart)];
    const server = aLeaseServer();
    const a = candidate(server, 'a', clockA);
    await pass(0, clockA, clockB);
    const b = candidate(server, 'b', clockB);
    let both = false;
    const watch = async (ms: number): Promise<void> => {
      for (let at = 0; at < ms; at += 500) {
        await pass(500, clockA, clockB);
        both ||= a.handle.isHolder() && b.handle.isHolder();
      }
    };
    await watch(60_000);
    expect(b.log).toEqual([]); // however old a's renewTime looks to b
    clockB.stepCivil(3_600_000); // somebody sets b's clock
    await watch(20_000);
    expect(b.log).toEqual([]);
    server.faults.unreachable.add('a');
    await watch(20_000);
    expect([a.log, b.log, both]).toEqual([['started', 'stopped'], ['started'], false]);
  });
});

test.each([
  { durationMs: 15_500, renewMs },
  { durationMs: 6_000, renewMs: 2_000 },
])('times that cannot be safe are refused: %o', (times) => {
  expect(() => candidate(aLeaseServer(), 'a', fakeClock(), times)).toThrow(TypeError);
});
