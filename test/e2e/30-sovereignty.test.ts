/**
 * Data sovereignty on a real cluster (issue "Data Sovereignty"): what is measured is near the truth, an audience is activated, who
 * revokes or erases is gone and stays charged, budgets end and come back, Vaults go by their own manifests.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '@scs/protocol';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { signatureOf } from '@scs/vault/activation/webhook.ts';
import { signed } from '@scs/vault/testing/a-rights.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { down } from '../cluster/cluster.ts';
import type { Enterprise } from '../demo/data.ts';
import { example, followTo, followToEnd, manifestFile, setUp, slicePods, submit, type Scene, type TaskManifest } from '../demo/scenario.ts';
import { diagnose, forward, importFile, installEnterprise, SYSTEM, until } from '../demo/system.ts';
import { activationKey, activations, ask, startCoupons, type Request } from './sovereignty/coupons.ts';
import { NAMED, RECEIPTS, trueAudience, trueSpending, type People } from './sovereignty/people.ts';
import { issuer, script } from './sovereignty/script.ts';

const MINUTES = 60_000;
let scene: Scene<People>;
beforeAll(async () => {
  scene = await setUp('sovereignty', undefined, script);
  await startCoupons(scene.kubectl);
}, 10 * MINUTES);
afterAll(async () => {
  scene?.stop();
  await down({ purge: true });
}, 2 * MINUTES);

const asRoastery = (args: readonly string[]) => scene.group.trySymphony(args, { KUBECONFIG: scene.as.roastery });
/** Submitted, and followed until its charge is fixed and its result there. */
const released = async (name: string, manifest: TaskManifest): Promise<Task> => {
  expect((await submit(scene, name, manifest)).stderr).toBe('');
  return awaiting(name);
};
const awaiting = (name: string): Promise<Task> =>
  followTo(scene, name, 'awaiting_settlement', 4 * MINUTES).catch(async (cause: unknown) => {
    throw new Error(`${String(cause)}\n${await diagnose(scene.kubeconfig)}`);
  });
const vaultDoes = (name: Enterprise, ...args: readonly string[]) =>
  scene.kubectl.attempt('exec', '-n', name, 'vault-shoppers-0', '-c', 'vault', '--', '/usr/local/bin/node', '/app/main.mjs', ...args);

interface Uses {
  readonly uses: readonly { readonly task: string; readonly state: string; readonly openedAt: string | null }[];
  readonly budgets: readonly { readonly usage: string; readonly spent: string; readonly reserved: string }[];
  readonly accesses: readonly { readonly what: string; readonly by: string }[];
}
const rights = async <T>(name: Enterprise, request: Omit<Request, 'url'> & { readonly path: string }): Promise<T> => {
  const { status, text } = await ask(scene.kubectl, { ...request, url: `https://vault-shoppers-rights.${name}.svc${request.path}` });
  expect([status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text) as T;
};
/** What the subject asks of the Vault, by a token of the issuer. */
const subjectAsks = async <T>(name: Enterprise, subject: string, path: string, change?: { method: string; body: object }): Promise<T> => {
  const headers = { authorization: `Bearer ${await issuer.token({ sub: subject })}` };
  if (!change) return rights(name, { path, headers });
  const body = JSON.stringify(change.body);
  return rights(name, { path, method: change.method, body, headers: { ...headers, 'content-type': 'application/json' } });
};
const usesOf = (name: Enterprise): Promise<Uses> => subjectAsks(name, NAMED[name], '/v1/uses');
const spent = ({ budgets }: Uses, usage: string): bigint => BigInt(budgets.find((of) => of.usage === usage)!.spent);

/** A count of coffees, for the usage; epsilon "0.1" costs 5,000 micro-rho. */
const coffees = (usage: string, epsilon: string) =>
  example('retail/coffee-in-singapore.yaml', (spec) => {
    spec.usage = usage;
    spec.privacy.epsilon = epsilon;
  });

describe('B2: a budget ends, and comes back at the end of an epoch', () => {
  const manifest = () => coffees('training', '1');
  /** Such tasks that the public odometers allow now. */
  const allowed = async (): Promise<string> => {
    const file = await manifestFile(scene, 'budget', manifest());
    const { stdout, stderr } = await asRoastery(['resolve', '-f', file, '--budget', '-o', 'json']);
    expect(stderr).toBe('');
    return (JSON.parse(stdout) as { budget: { tasks: string } }).budget.tasks;
  };
  const allows = (tasks: string) =>
    until(`${tasks} such tasks to be allowed`, 2 * MINUTES, async () => ((await allowed()) === tasks ? true : undefined));

  test('B4: the dry run counts what is left, before and after', async () => {
    await allows('2');
    expect(await allowed()).toBe('2');
    const both = ['train-1', 'train-2'];
    for (const name of both) expect((await submit(scene, name, manifest())).stderr).toBe('');
    for (const name of both) expect((await awaiting(name)).status?.message).toBeUndefined();
    await allows('0');
  });
  test('one more is refused, with what is left', async () => {
    await submit(scene, 'train-3', manifest());
    const { status } = await followToEnd(scene, 'train-3', 2 * MINUTES);
    expect(status).toMatchObject({ state: 'rejected', reason: 'BudgetExhausted' });
  });
  test('G5: two masters approve, by their durable keys', async () => {
    const { group, kubeconfig, kubectl } = scene;
    const abort = new AbortController();
    const urls = await Promise.all([0, 1, 2].map((i) => forward(kubeconfig, SYSTEM, `scs-master-${i}`, 7444, abort.signal)));
    const masters = urls.map((url) => new URL(url).host).join(',');
    const file = join(group.folder, 'replenish.yaml');
    const epoch = async (): Promise<number> => {
      const { items } = JSON.parse(await kubectl('get', 'epochs', '-o', 'json')) as {
        items: { spec: { number: number }; status?: { state?: string } }[];
      };
      return items.find(({ status }) => status?.state === 'Open')!.spec.number;
    };
    // The epoch may end between the look and the decision: then the next one is named.
    await until('the approval to be decided', MINUTES, async () => {
      writeFileSync(file, JSON.stringify({ type: 'budget.replenish', statement: { usage: 'training', epoch: await epoch() } }));
      for (const master of ['master-0', 'master-2'])
        writeFileSync(file, await group.symphony('approve', '-f', file, '--keys', group.keys(master)));
      const decided = await group.trySymphony(['decide', '-f', file, '--keys', group.keys('master-2'), '--masters', masters]);
      if (decided.code === 0) return true;
      expect(decided.stderr).toMatch(/TooLate|NotDue/);
      return undefined;
    });
    abort.abort();
  });
  test('replenished: as many again', async () => {
    await allows('2');
    expect((await released('train-4', manifest())).status?.message).toBeUndefined();
  });
});

test('S8, B7: sum, mean and median of what people spent are near the truth', async () => {
  const CLIP = 5_000;
  const task = await released(
    'spending',
    example('retail/coffee-in-singapore.yaml', (spec) => {
      spec.privacy.epsilon = '1';
      spec.query.where = spec.query.where.filter(({ attribute }) => attribute !== 'item_kind');
      spec.query.measures = [
        { kind: 'sum', attribute: 'receipt_spend', clipAt: CLIP },
        { kind: 'mean', attribute: 'receipt_spend', clipAt: CLIP },
        { kind: 'quantile', attribute: 'receipt_spend', rank: '0.5' },
      ];
    }),
  );
  expect(task.status?.message).toBeUndefined();
  const { stdout } = await asRoastery([
    'result',
    'task/spending',
    '-o',
    'json',
    '--keys',
    scene.group.keys('submitter-roastery'),
    '-n',
    'roastery',
  ]);
  const result = JSON.parse(stdout) as {
    halfWidth95: number;
    cells: { label: string; count: number; measures: { measure: string; value: string; from: string; to?: string; below?: string }[] }[];
  };
  const truth = await trueSpending(scene.data, CLIP);
  expect(result.cells.map(({ label }) => label)).toEqual(truth.map(({ label }) => label));
  // Five half widths: the chance to fail by noise is below one in a thousand million. The median lies far from its step's ends.
  for (const [i, cell] of result.cells.entries()) {
    const { count, sum, median } = truth[i]!;
    const [total, mean, half] = cell.measures;
    const near = ({ value, from, to }: typeof total & object, wanted: number) =>
      expect(Math.abs(Number(value) - wanted)).toBeLessThan(5 * Math.max(Number(value) - Number(from), Number(to) - Number(value)));
    expect(Math.abs(cell.count - count)).toBeLessThan(5 * result.halfWidth95);
    near(total!, sum);
    near(mean!, sum / count);
    expect([Number(half!.from) <= median, median < Number(half!.below)]).toEqual([true, true]);
  }
});

describe('C4: a subject’s rights, over HTTPS in the cluster', () => {
  test('no token, no answer; a token of the issuer gets what is held', async () => {
    const { status } = await ask(scene.kubectl, { url: 'https://vault-shoppers-rights.alder.svc/v1/held' });
    expect(status).toBe(401);
    const { domains } = await subjectAsks<{ domains: { domain: string; total: string }[] }>('alder', NAMED.alder, '/v1/held');
    expect(domains).toMatchObject([{ domain: RECEIPTS, total: '12' }]);
    const { consents } = await subjectAsks<{ consents: { usage: string; state: string }[] }>('alder', NAMED.alder, '/v1/consents');
    expect(consents).toContainEqual({ usage: 'marketing', state: 'granted' });
  });
  test('a key that the subject adds signs for them', async () => {
    const { seed, publicKey } = actorKey('ann');
    await subjectAsks('alder', NAMED.alder, '/v1/keys', { method: 'POST', body: { publicKey } });
    const service = await rights<{ publicKey: string }>('alder', { path: '/v1/service' });
    const signing = { seed, vaultKey: service.publicKey, nonce: 'e2e-'.repeat(5), now: Date.now() };
    const uses = await rights<Uses>('alder', { path: '/v1/uses', headers: signed({ path: '/v1/uses' }, signing) });
    expect(uses.uses.every(({ state }) => state === 'committed')).toBe(true);
    expect(spent(uses, 'analytics')).toBeGreaterThan(0n);
  });
});

describe('T1: a coupon for recent Luckin customers', () => {
  let uid: string;
  const received = async () =>
    (await activations(scene.kubectl)).map(({ body }) => JSON.parse(body) as { task: string; subjects: string[] });

  test('each Vault keeps who they are', async () => {
    const task = await released('luckin-coupon', example('retail/luckin-coupon.yaml'));
    expect(task.status?.message).toBeUndefined();
    uid = task.metadata.uid!;
    for (const name of ['alder', 'birch', 'cedar'] as const)
      await until(`${name} to keep the audience`, MINUTES, async () =>
        (await vaultDoes(name, 'audiences')).stdout.includes(uid) ? true : undefined,
      );
  });
  test('C2: activated is who consents by then, each once, signed', async () => {
    const wanted = await trueAudience(scene.data, 'alder');
    expect(wanted).toContain(NAMED.alder);
    await subjectAsks('alder', NAMED.alder, '/v1/consents/marketing', { method: 'PUT', body: { state: 'revoked' } });
    const activate = () => vaultDoes('alder', 'activate', '--task', uid, '--message', 'A coupon for coffee');
    const first = await activate();
    expect(first.stderr).toBe('');
    expect((await received()).flatMap(({ subjects }) => subjects).toSorted()).toEqual(wanted.filter((subject) => subject !== NAMED.alder));
    for (const { body, timestamp, signature } of await activations(scene.kubectl))
      expect(signature).toBe(signatureOf(activationKey, timestamp, body));
    expect((await activate()).stdout).toContain('0 activated');
  });
  test('who was reached sees it', async () => {
    const [batch] = await received();
    const { accesses } = await subjectAsks<Uses>('alder', batch!.subjects[0]!, '/v1/uses');
    expect(accesses).toContainEqual(expect.objectContaining({ what: 'activated', by: 'operator' }));
  });
});

test('C2: who revokes while a slice runs is not in it, and is not charged', async () => {
  const { kubeconfig, kubectl, group, images } = scene;
  const install = (executor: string) => installEnterprise(kubeconfig, group, { ...images, executor }, 'alder', script.enterpriseValues);
  const before = spent(await usesOf('alder'), 'analytics');
  // The sidecar opens the snapshot; without an executor its slice runs for as long as it takes to revoke.
  await install('scs.local/not-there:dev');
  await kubectl('rollout', 'status', '-n', 'alder', 'deployment/scs-agent', '--timeout=90s');
  await submit(scene, 'revoked', coffees('analytics', '0.1'));
  const uid = (await followTo(scene, 'revoked', 'dispatched', MINUTES)).metadata.uid!;
  await until('the slice to be opened', 2 * MINUTES, async () =>
    (await usesOf('alder')).uses.some(({ task, openedAt }) => task === uid && openedAt !== null) ? true : undefined,
  );
  await subjectAsks('alder', NAMED.alder, '/v1/consents/analytics', { method: 'PUT', body: { state: 'revoked' } });
  await until('the running slice to stop', MINUTES, async () => {
    const pod = (await slicePods(scene)).find(({ namespace, role }) => namespace === 'alder' && role === 'slice');
    const logs = pod && (await kubectl.attempt('logs', '-n', 'alder', pod.name, '-c', 'enclave-sidecar'));
    return logs?.stdout.includes('ConsentChanged') ? true : undefined;
  });
  await install(images.executor);
  const { status } = await awaiting('revoked');
  expect(status).toMatchObject({
    state: 'awaiting_settlement',
    vaults: [{ state: 'released' }, { state: 'released' }, { state: 'released' }],
  });
  const uses = await usesOf('alder');
  expect(uses.uses.filter(({ task }) => task === uid)).toEqual([]);
  expect(spent(uses, 'analytics')).toBe(before);
});

describe('C4, B5: erased', () => {
  test('gone from the store, and from what is asked after', async () => {
    const held = await subjectAsks<{ domains: { total: string }[] }>('birch', NAMED.birch, '/v1/held');
    expect(held.domains).toMatchObject([{ total: '12' }]);
    const before = spent(await usesOf('birch'), 'analytics');
    expect(before).toBeGreaterThan(0n);
    expect(await subjectAsks('birch', NAMED.birch, '/v1/erase', { method: 'POST', body: { confirm: 'erase' } })).toEqual({ erased: true });
    expect((await vaultDoes('birch', 'subject', '--subject', NAMED.birch)).stderr).toContain('SubjectUnknown');
    const { metadata } = await released('after-erasure', coffees('analytics', '0.1'));

    const { records, consents } = scene.data.named.birch;
    await importFile(scene.kubectl, 'birch', records, ['--domain', RECEIPTS]);
    await importFile(scene.kubectl, 'birch', consents, ['--consents']);
    const uses = await usesOf('birch');
    expect(uses.uses.map(({ task }) => task)).not.toContain(metadata.uid);
    expect(spent(uses, 'analytics')).toBe(before);
  });
});

test('C5: a Vault refuses, by its own manifest, what the masters certified', async () => {
  const { status } = await released('personal', coffees('personal', '0.5'));
  expect(status?.vaults).toContainEqual(expect.objectContaining({ vault: 'cedar/shoppers', state: 'refused', reason: 'QuotaExceeded' }));
  expect(status?.vaults?.filter(({ state }) => state === 'released')).toHaveLength(2);
});

test('everything settles; no subject in logs, status or events', async () => {
  for (const name of ['spending', 'luckin-coupon', 'revoked', 'after-erasure', 'personal', 'train-4'])
    expect((await followToEnd(scene, name, 2 * MINUTES)).status?.state).toBe('completed');
  const { kubectl } = scene;
  for (const namespace of ['alder', 'birch', 'cedar', SYSTEM])
    expect(await kubectl('logs', '-n', namespace, '-l', 'app.kubernetes.io/part-of=symphony', '--all-containers', '--tail=-1')).not.toMatch(
      /"(ann|bea|cem|(alder|birch|cedar)-\d+)"/,
    );
  expect(await kubectl('get', 'tasks,vaults,slices,events', '-A', '-o', 'json')).not.toMatch(/"(ann|bea|cem|(alder|birch|cedar)-\d+)"/);
});
