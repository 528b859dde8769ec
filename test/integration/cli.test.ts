/**
 * The plugin against a real API server and the real contracts in the real Move VM: submit, status, result, verify with what the
 * masters' own code writes; settlement. What moves money is in money.test.ts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { Account, Ed25519PrivateKey } from '@aptos-labs/ts-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGenesis, formatSym, fromHex, genesisDigest, utf8, type Genesis, type Task } from '@scs/protocol';
import { customResourceDefinition } from '@scs/protocol/resources/crd.ts';
import { definitions } from '@scs/protocol/resources/definitions.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { actorKey, testKey } from '@scs/protocol/testing/keys.ts';
import { generateSealKey } from '@scs/proto/sealing.ts';
import { createCluster, type Cluster } from '@scs/operator/kube/client.ts';
import { startInformer } from '@scs/operator/kube/informer.ts';
import { ConfigMap, CustomResourceDefinition, scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { wantedObject } from '@scs/operator/master/projection/cluster-objects.ts';
import { evidenceHeight, evidenceIn, resultFiles, resultMap } from '@scs/operator/master/projection/result-files.ts';
import { taskStatus } from '@scs/operator/master/projection/task-status.ts';
import { writeStatus } from '@scs/operator/master/projection/write-object.ts';
import { aptosChain } from '@scs/operator/master/settlement/aptos-chain.ts';
import { NOW, symphony, type Ran } from '../../cli/src/testing/cli.ts';
import { certifiedLeaf, settledTask, submitterFolder, type SettledTask } from '../../cli/src/testing/settled-task.ts';
import { startDevnet, type TestDevnet } from '../../contracts/devnet/testing/devnet.ts';
import { publishScs } from '../../contracts/publish.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';

let controlPlane: ControlPlane;
let cluster: Cluster;
let devnet: TestDevnet;
let folder: string;
let genesis: Genesis;
const resultKey = { publicKey: '', seed: '' };
const example = join(import.meta.dirname, '../../examples/campaign/task.yaml');

type Crd = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };
const installCrds = async (): Promise<void> => {
  const established = Promise.withResolvers<void>();
  const ready = new Set<string>();
  const crds = startInformer<Crd>({
    cluster,
    kind: CustomResourceDefinition,
    onChange: ({ object }) => {
      if (object.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True')) ready.add(object.metadata.name);
      if (definitions.every((d) => ready.has(`${d.plural}.scp.symphony.foundation`))) established.resolve();
    },
  });
  for (const definition of definitions) await cluster.apply(customResourceDefinition(definition) as KubeObject);
  await established.promise;
  await crds.stop();
};

const accountOf = (seed: string): Account => Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(fromHex(seed)) });
const GAS = 10_000_000_000;
const gasFor = (seed: string): Promise<unknown> =>
  devnet.aptos.fundAccount({ accountAddress: accountOf(seed).accountAddress, amount: GAS, options: { waitForIndexer: false } });
const gasKey = testKey('gas of master 0').seed;

/** Contracts initialised with the very genesis that the plugin is given. */
const publish = async (): Promise<void> => {
  for (const seed of [testKey('publisher').seed, actorKey('roastery').seed, actorKey('alder').seed, gasKey]) await gasFor(seed);
  await publishScs({
    aptos: devnet.aptos,
    publisher: accountOf(testKey('publisher').seed),
    genesis: {
      digest: genesisDigest(genesis),
      masters: genesis.masters.map((m) => m.publicKey),
      recoveryKeys: genesis.recoveryKeys,
      simulated: true,
      allocations: genesis.actors.map(({ address, allocation }) => ({ address, amount: allocation })),
      treasuryReserve: genesis.chain.treasuryReserve,
      escrowDelaySeconds: genesis.chain.escrowDelaySeconds,
      escrowWindowSeconds: genesis.chain.escrowWindowSeconds,
    },
  });
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-cli-'));
  genesis = aGenesis({ chain: { ...aGenesis().chain, treasuryReserve: 100n, escrowDelaySeconds: 4000n, escrowWindowSeconds: 600n } });
  writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(genesis));
  [controlPlane, devnet] = await Promise.all([startControlPlane({ name: 'cli' }), startDevnet()]);
  const config = new KubeConfig();
  config.loadFromFile(controlPlane.kubeconfig);
  cluster = createCluster(config, { fieldManager: 'scs-test' });
  for (const name of ['roastery', 'scs']) await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await Promise.all([installCrds(), publish()]);
  const { publicKey, privateKey } = await generateSealKey();
  Object.assign(resultKey, { publicKey, seed: privateKey });
  await submitterFolder(join(folder, 'roastery'), 'roastery', resultKey);
  await submitterFolder(join(folder, 'alder'), 'alder', resultKey);
});
afterAll(async () => {
  await controlPlane.stop();
  await devnet.stop();
  rmSync(folder, { recursive: true });
});

/** As the submitter, pinned to the genesis file, unless `environment` says otherwise. */
const scs = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  symphony([...args, '--kubeconfig', controlPlane.kubeconfig], {
    environment: { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: join(folder, 'roastery'), ...environment },
  });
const onChain = (...args: string[]): Promise<Ran> => scs([...args, '--chain-url', `${devnet.url}/v1`]);
const found = (name: string) => cluster.get<KubeObject & Task>({ kind: scpKind('Task'), namespace: 'roastery', name });

describe('submit', () => {
  test('creates a signed Task, once', async () => {
    expect(await scs(['submit', '-f', example])).toEqual({
      code: 0,
      out: 'task/coffee-by-age submitted to roastery, at most 10 SYM',
      err: '',
    });
    expect((await found('coffee-by-age'))?.spec).toMatchObject({ submitter: actorKey('roastery').address, resultKey: resultKey.publicKey });
    const again = await scs(['submit', '-f', example]);
    expect([again.code, again.err]).toEqual([
      1,
      "task roastery/coffee-by-age exists already. A task's spec can't be changed: choose another name, or delete it first. (AlreadyExists)",
    ]);
  });
  test('a dry run is checked by the API server and creates nothing', async () => {
    const { code, out } = await scs(['submit', '-f', example, '--name', 'dry', '--dry-run', '--wait']);
    expect([code, out]).toEqual([0, 'task/dry would be submitted to roastery, at most 10 SYM']);
    expect(await found('dry')).toBeUndefined();
  });
  test.each([
    [['--name', 'x', '--context', 'nowhere'], 'The kubeconfig has no context nowhere. See kubectl config get-contexts. (ContextUnknown)'],
    [['--name', 'x', '-n', 'elsewhere'], 'names namespace roastery, but -n asks for elsewhere'],
    [['-f', '-'], 'standard input is not valid'],
  ])('refused: %j', async (args, sentence) => {
    const { code, err } = await scs(['submit', '-f', example, ...args]);
    expect(code).toBe(1);
    expect(err).toContain(sentence);
  });
  test('a namespace that is not there', async () => {
    const file = join(folder, 'elsewhere.yaml');
    writeFileSync(file, readFileSync(example, 'utf8').replace('namespace: roastery', 'namespace: nowhere'));
    const { code, err } = await scs(['submit', '-f', file]);
    expect([code, err]).toEqual([1, 'There is no task nowhere/coffee-by-age: namespaces "nowhere" not found (NotFound)']);
  });
  test('a user without the right', async () => {
    const { code, err } = await symphony(['submit', '-f', example, '--kubeconfig', controlPlane.user('nobody'), '--name', 'x'], {
      environment: { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: join(folder, 'roastery') },
    });
    expect(code).toBe(1);
    expect(err).toMatch(/^The API server refused task roastery\/x: .*User "nobody" cannot create resource "tasks".*\(Forbidden\)$/);
  });
  test('an API server that is not there', async () => {
    const file = join(folder, 'away.kubeconfig');
    writeFileSync(file, readFileSync(controlPlane.kubeconfig, 'utf8').replace(/127\.0\.0\.1:\d+/, '127.0.0.1:2'));
    const { code, err } = await symphony(['status', 'task/x', '--kubeconfig', file]);
    expect(code).toBe(1);
    expect(err).toMatch(/^The API server can't be asked for task default\/x: .*ECONNREFUSED.*\(ClusterUnreachable\)$/);
  });
});

describe('submit --wait', () => {
  const submitAndWait = (name: string, changes: { onOut?: (line: string) => void; signal?: AbortSignal }): Promise<Ran> =>
    symphony(['submit', '-f', example, '--name', name, '--wait', '--kubeconfig', controlPlane.kubeconfig], {
      environment: { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: join(folder, 'roastery') },
      ...changes,
    });
  const time = '2026-01-01T12:00:00Z';
  const accepted = { state: 'accepted', height: 7, time };
  test('prints each transition; a rejection is exit code 1 and its sentence', async () => {
    const submitted = Promise.withResolvers<void>();
    const onOut = (line: string): void => {
      if (line.includes('submitted to')) submitted.resolve();
    };
    const reject = async (): Promise<void> => {
      await submitted.promise;
      const rejected = { state: 'rejected', height: 8, time, reason: 'FeeAboveMaximum' };
      const status = { state: 'rejected', reason: 'FeeAboveMaximum', message: 'Raise maxFee.', history: [accepted, rejected] };
      await writeStatus(cluster, 'Task', (await found('followed'))!, status);
    };
    const [{ code, out, err }] = await Promise.all([submitAndWait('followed', { onOut }), reject()]);
    expect([code, err]).toEqual([1, 'Raise maxFee. (FeeAboveMaximum)']);
    expect(out.split('\n').slice(1)).toEqual(['   0.0 s  accepted', '   0.0 s  rejected (FeeAboveMaximum)']);
  });
  test('Ctrl-C stops watching at once; the task goes on', async () => {
    const interrupt = new AbortController();
    const { code, err } = await submitAndWait('left-alone', { onOut: () => interrupt.abort(), signal: interrupt.signal });
    expect(code).toBe(1);
    expect(err).toMatch(/\(Interrupted\)$/);
    expect(await found('left-alone')).toBeDefined();
  });
});

describe('before there is anything', () => {
  test.each([
    [
      ['status', 'task/nothing', '-n', 'roastery'],
      'There is no task roastery/nothing: tasks.scp.symphony.foundation "nothing" not found (NotFound)',
    ],
    [['result', 'task/coffee-by-age', '-n', 'roastery'], 'Task coffee-by-age has no result: it is not admitted yet. (NoResult)'],
    [['verify', 'coffee-by-age', '-n', 'roastery'], 'Task coffee-by-age has no result: it is not admitted yet. (NoResult)'],
  ])('%j', async (args, sentence) => expect(await scs(args)).toEqual({ code: 1, out: '', err: sentence }));
  test('status says what is waited for', async () => {
    const { code, out } = await scs(['status', 'tasks/coffee-by-age', '-n', 'roastery']);
    expect([code, out.split('\n').at(-1)]).toEqual([0, 'waiting for   The masters have not decided on it yet.']);
  });
});

describe('the genesis', () => {
  const verify = () => scs(['verify', 'task/coffee-by-age', '-n', 'roastery'], { SCS_GENESIS: '' });
  test('is asked of the cluster when no file is named', async () => {
    expect((await verify()).err).toBe(
      'There is no ConfigMap scs/scs-genesis. Give --genesis FILE, or --system-namespace. (GenesisMissing)',
    );
    const genesisMap = (bytes: Uint8Array): KubeObject & { binaryData: Record<string, string> } => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: 'scs', name: 'scs-genesis' },
      binaryData: { 'genesis.bin': Buffer.from(bytes).toString('base64') },
    });
    await cluster.apply(genesisMap(utf8('hello')));
    expect((await verify()).err).toContain('ConfigMap scs/scs-genesis is not a genesis file');
    await cluster.apply(genesisMap(encodeGenesis(genesis)));
    expect((await verify()).err).toContain('(NoResult)');
  });
});

describe('a wallet in a Secret', () => {
  const account = (secret: string) => onChain('account', '-o', 'json', '--wallet-secret', secret);
  test('signs like a folder; what is missing is named, and no key is printed', async () => {
    const data = { 'actor.key': actorKey('alder').seed, spare: actorKey('roastery').seed, broken: 'hunter2' };
    const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
    const object = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'roastery', name: 'wallet' }, type: 'Opaque', data: encoded };
    await cluster.apply(object);
    const address = async (secret: string) => (JSON.parse((await account(secret)).out) as { account: string }).account;
    expect(await address('roastery/wallet')).toBe(actorKey('alder').address);
    expect(await address('roastery/wallet:spare')).toBe(actorKey('roastery').address);
    const dry = await onChain('deposit', '1', '--dry-run', '--wallet-secret', 'roastery/wallet', '-o', 'json');
    expect(JSON.parse(dry.out)).toMatchObject({ dryRun: true, account: { account: actorKey('alder').address } });
    expect((await account('roastery/wallet:broken')).err).toBe(
      'broken of Secret roastery/wallet is not a key: expected 64 hex digits. (KeyFileInvalid)',
    );
    expect((await account('roastery/wallet:other')).err).toMatch(/has no other\. .*\(WalletMissing\)$/);
    expect((await account('roastery/none')).err).toBe('There is no Secret roastery/none. (WalletMissing)');
    expect((await account('Not A Name')).code).toBe(2);
  });
});

describe('a task from submission to the chain', () => {
  let settled: SettledTask;
  const NAME = 'coffee-to-the-end';
  const verify = (...args: string[]) => onChain('verify', `task/${NAME}`, '-n', 'roastery', ...args);

  test('submitted by the plugin, decided by the rules, landed in the contract, shown by the masters', async () => {
    expect((await scs(['submit', '-f', example, '--name', NAME])).code).toBe(0);
    const object = (await found(NAME))!;
    const chain = aptosChain({
      url: `${devnet.url}/v1`,
      chainId: genesis.chain.chainId,
      contract: genesis.chain.contract,
      genesis: genesisDigest(genesis),
      gasKey,
    });
    settled = await settledTask({
      genesis,
      resultKey,
      at: NOW.getTime(),
      admit: { type: 'task.admit', uid: object.metadata.uid!, namespace: 'roastery', name: NAME, spec: object.spec, user: 'roastery' },
      land: async (leaf) => {
        const { txHash, version } = await chain.settle({ leaf });
        return { transaction: txHash, version };
      },
    });
    const { world, record } = settled;
    const log = {
      state: () => world.state,
      leaf: (key: string) => certifiedLeaf(world, key),
    };
    await writeStatus(cluster, 'Task', object, taskStatus(record, log.leaf(`task/${record.uid}`)));
    const evidence = evidenceIn(record, world.blocks[Number(evidenceHeight(record)) - 1]!);
    await cluster.apply(resultMap(object, record, resultFiles(record, settled.files['result.sealed']!, evidence, log)));
  });

  test('status', async () => {
    const { out } = await scs(['status', `task/${NAME}`, '-n', 'roastery']);
    expect(out).toContain('state         completed');
    expect(out).toContain(`transaction ${settled.record.transaction!.hash}`);
    const { out: json } = await scs(['status', `task/${NAME}`, '-n', 'roastery', '-o', 'json']);
    expect(JSON.parse(json)).toMatchObject({
      task: `roastery/${NAME}`,
      state: 'completed',
      fee: { charged: formatSym(settled.record.charge!) },
    });
  });
  test('result, with the key and only with it', async () => {
    const { code, out } = await scs(['result', `task/${NAME}`, '-n', 'roastery']);
    expect(code).toBe(0);
    expect(out).toMatch(/^under_45\s+412 .*\n45_and_over\s+388 .*\nunknown\s+suppressed/m);
    expect(out).not.toContain('Provisional');
    const { out: json } = await scs(['result', `task/${NAME}`, '-n', 'roastery', '-o', 'json']);
    expect(JSON.parse(json)).toMatchObject({ vaults: 3, epsilon: '0.5', cells: [{ count: 412 }, { count: 388 }, { suppressed: true }] });
    await submitterFolder(join(folder, 'thief'), 'stranger', { publicKey: testKey('x').publicKey, seed: testKey('x').seed });
    const { err } = await scs(['result', `task/${NAME}`, '-n', 'roastery', '--keys', join(folder, 'thief')]);
    expect(err).toContain('The result does not open with this key.');
  });
  test('verify: every line holds, the chain too', async () => {
    const { code, out, err } = await verify();
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toBe(`genesis from ${join(folder, 'genesis.bin')}`);
    expect(lines.slice(1, -1).filter((line) => !line.startsWith('ok '))).toEqual([]);
    expect(lines.slice(1, -1)).toHaveLength(23);
    expect(lines.at(-1)).toMatch(/^On attestation alone rest: slice alder\/shoppers, .*aggregate\./);
  });
  test('verify: what it could not check, it says', async () => {
    const { out } = await scs(['verify', `task/${NAME}`, '-n', 'roastery', '-o', 'json'], { SCS_KEYS: '' });
    const { pinned, checks } = JSON.parse(out) as { pinned: boolean; checks: { name: string; skipped?: string }[] };
    expect(pinned).toBe(true);
    expect(checks.filter((c) => c.skipped)).toMatchObject([
      { name: 'opening', skipped: 'no --keys given' },
      { name: 'chain', skipped: 'no --chain-url given' },
    ]);
  });
  test('verify: the genesis of the cluster is said to be believed', async () => {
    const { code, out } = await scs(['verify', `task/${NAME}`, '-n', 'roastery', '--chain-url', `${devnet.url}/v1`], { SCS_GENESIS: '' });
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toContain('believed as the API server gives it; pin it with --genesis FILE');
  });
  test('verify: whoever edits the proof is found out', async () => {
    const map = { kind: ConfigMap, namespace: 'roastery', name: `${NAME}-result` };
    const before = (await cluster.get<KubeObject & { data: Record<string, string>; binaryData: Record<string, string> }>(map))!;
    const sealed = Buffer.from(before.binaryData['result.sealed']!, 'base64');
    sealed[40]! ^= 1;
    await cluster.replace({
      ...before,
      apiVersion: 'v1',
      kind: 'ConfigMap',
      binaryData: { 'result.sealed': sealed.toString('base64') },
    } as KubeObject);
    const { code, out, err } = await verify();
    expect([code, err]).toEqual([1, '2 of 23 checks failed: sealed-result, opening. (VerificationFailed)']);
    expect(out).toMatch(/^FAIL sealed-result/m);
    expect((await scs(['result', `task/${NAME}`, '-n', 'roastery'])).err).toContain('(ResultMismatch)');
    await cluster.delete(map);
    expect((await verify()).err).toContain(`ConfigMap ${NAME}-result is gone.`);
  });

  test('settlement: root, transaction, tasks and their states, of both sides; what differs is said', async () => {
    const { number, tasks } = settled.world.state.must('settlement', '1');
    const sources = { genesis, state: settled.world.state, leaf: (key: string) => certifiedLeaf(settled.world, key) };
    const wanted = wantedObject(sources, 'Settlement', `settlement-${number}`)!;
    const write = async (change: object): Promise<void> => {
      await cluster.delete({ kind: scpKind('Settlement'), name: 'settlement-1' });
      const spec = { ...wanted.spec, ...change };
      const object = { apiVersion: 'scp.symphony.foundation/v1alpha1', kind: 'Settlement', metadata: { name: 'settlement-1' }, spec };
      await writeStatus(cluster, 'Settlement', await cluster.apply(object), wanted.status);
    };
    await write({});
    const { code, out, err } = await onChain('settlement', '1', '-n', 'roastery', '-o', 'json');
    expect([code, err]).toEqual([0, '']);
    const shown = JSON.parse(out) as { tasks: { uid: string }[] } & Record<string, unknown>;
    expect(shown).toMatchObject({
      batch: '1',
      chain: {
        settled: true,
        epoch: `${(wanted.spec as { epoch: number }).epoch}`,
        taskCount: `${tasks.length}`,
        transaction: settled.record.transaction!.hash,
      },
      masters: { state: 'finalized', certified: true, transaction: settled.record.transaction!.hash },
      differences: [],
    });
    expect(shown.tasks.map(({ uid }) => uid).toSorted()).toEqual([...tasks].toSorted());
    expect(shown.tasks).toContainEqual({
      uid: settled.record.uid,
      task: `roastery/${NAME}`,
      state: 'completed',
      charged: formatSym(settled.record.charge!),
    });
    const { out: text } = await onChain('settlement', 'settlement-1', '-n', 'roastery');
    expect(text).toContain('finalized; two of three signed for it');
    expect(text).toContain(`roastery/${NAME}`);
    const chainOnly = await onChain('settlement', '1', '--chain-only', '-o', 'yaml');
    expect([chainOnly.code, chainOnly.out.includes('masters')]).toEqual([0, false]);
    await write({ taskCount: 7 });
    const altered = await onChain('settlement', '1', '-n', 'roastery');
    expect([altered.code, altered.err]).toEqual([1, 'Chain and masters differ: the number of tasks. (SettlementDiffers)']);
    const unknown = await onChain('settlement', '99', '-n', 'roastery');
    expect(unknown.err).toBe('There is no batch 99: the chain has not accepted it, and the cluster shows none. (BatchUnknown)');
  });
});
