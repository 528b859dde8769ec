/**
 * A settled task with its full proof, made by the real rules: three Vaults and an aggregator that sign, masters that vote, a
 * result sealed to a real key, a batch of two tasks. For tests of `result` and `verify`.
 */
import { generateKeyPairSync } from 'node:crypto';
import {
  API_VERSION,
  batchKey,
  decodeBatch,
  decideMessage,
  encodeCanonical,
  encodeSettlementLeaf,
  envelopeKey,
  formatSym,
  fromHex,
  genesisDigest,
  headOf,
  hex,
  ownName,
  settlementLeafOf,
  sign,
  type CatalogueChange,
  type CertifiedLeaf,
  type Genesis,
  type OwnAttribute,
  type Task,
  type TaskRecord,
  type TaskResult,
} from '@scs/protocol';
import { encodeTaskResult, envelopeAad } from '@scs/protocol/slice-input.ts';
import { listPath } from '@scs/protocol/settlement-layout.ts';
import { aGenesis, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { aCatalogueChange } from '@scs/protocol/testing/catalogue-change.ts';
import { actorKey, masterKey } from '@scs/protocol/testing/keys.ts';
import { aggregateCommand, anOffer, registerCommand } from '@scs/protocol/testing/statements.ts';
import { aTask, type AdmitCommand, type TaskBuilder } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { packSealed, seal } from '@scs/proto/sealing.ts';
import { writeKeyFolder } from '../keys/key-folder.ts';
import type { Files } from '../bundle.ts';
import type { ChainFacts } from '../verify/subject.ts';

export interface SettledTask {
  readonly world: World;
  readonly genesis: Genesis;
  /** As the API server would give it, status written. */
  readonly task: Task;
  readonly record: TaskRecord;
  /** The ConfigMap's content. */
  readonly files: Files;
  readonly result: TaskResult;
  /** X25519 key that opens the result; hex. */
  readonly resultKey: { readonly publicKey: string; readonly seed: string };
  readonly chain: ChainFacts;
}

const newResultKey = (): SettledTask['resultKey'] => {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'),
    seed: privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('hex'),
  };
};

/** Counts of the result's cells; undefined is suppressed. */
const COUNTS = [412n, 388n, undefined];
const resultOf = (record: TaskRecord): TaskResult => ({
  envelope: record.envelope!,
  cells: record.plan!.group.cells.map(({ label }, i) => ({ label, ...(COUNTS[i] !== undefined && { count: COUNTS[i] }) })),
  vaults: record.survivors!.length,
  epsilon: record.plan!.epsilon,
  cellsPerSubject: record.plan!.cellsPerSubject,
});

const sealed = async (result: TaskResult, key: string): Promise<Uint8Array> =>
  packSealed(await seal(key, 'task-result', encodeTaskResult(result), envelopeAad(result.envelope)));

/** From admission to the aggregate's evidence. */
const work = (world: World, task: TaskBuilder | AdmitCommand): string => {
  const uid = world.submit(task);
  world.runTo(uid, 'dispatched');
  world.ready(uid);
  world.release(uid);
  world.aggregatorReady(uid);
  return uid;
};

/** The leaf as masters 0 and 2 certify it at the world's height. */
export const certifiedLeaf = (world: World, key: string, masters: readonly number[] = [0, 2]): CertifiedLeaf => {
  const head = headOf(world.blocks.at(-1)!, world.genesisDigest, hex(world.state.root()));
  const path = world.state.map.prove(key);
  return {
    key,
    value: hex(world.state.map.get(key)!),
    siblings: path!.siblings.map(hex),
    certificate: { head, votes: masters.map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) })) },
  };
};

const settlementFile = (world: World, record: TaskRecord): Uint8Array => {
  const { tasks } = world.state.must('settlement', String(record.batch));
  const leaves = tasks.map((uid) => encodeSettlementLeaf(settlementLeafOf(world.task(uid))));
  const index = tasks.indexOf(record.uid);
  return encodeCanonical({ index, count: tasks.length, path: listPath(index, leaves).map(hex) });
};

/** The status that masters would write. */
const statusOf = (record: TaskRecord): NonNullable<Task['status']> => ({
  state: record.state,
  envelopeDigest: record.envelope!,
  epoch: record.epoch,
  policyVersion: record.policyVersion,
  fee: {
    maximum: formatSym(record.maxFee),
    locked: formatSym(record.locked),
    quoted: formatSym(record.quote!),
    charged: formatSym(record.charge!),
  },
  vaults: record.parts.map(({ vault, state }) => ({ vault, state })),
  result: { configMap: `${record.name}-result`, digest: record.sealedResult!, provisional: false },
  settlement: { batch: Number(record.batch), transaction: record.transaction!.hash, version: String(record.transaction!.version) },
  history: record.history.map((h) => ({ state: h.state, height: Number(h.height), time: new Date(h.time).toISOString() })),
});

export interface SettleOptions {
  readonly name?: string;
  readonly genesis?: Genesis;
  readonly resultKey?: SettledTask['resultKey'];
  /** A task that was submitted elsewhere; else one is made and signed. */
  readonly admit?: AdmitCommand;
  /** Log time of the admission, milliseconds. */
  readonly at?: number;
  /** Of the catalogue, before the admission. */
  readonly changes?: CatalogueChange[];
  /** The first Vault's own, in force before the admission; the task is grouped by the first of them. */
  readonly attributes?: OwnAttribute[];
  /** Lands the batch on a chain; else it is only said to have landed. */
  readonly land?: (batch: CertifiedLeaf) => Promise<{ readonly transaction: string; readonly version: bigint }>;
}

/** The world that a task is about to enter, and that ends in. */
const startedWorld = ({ genesis = aGenesis(), at, changes, attributes }: SettleOptions): World => {
  const world = World.ready(genesis);
  if (attributes) {
    world.block(registerCommand(world, anOffer(vaultNames[0]!, { revision: 1, attributes })));
    world.advance(genesis.policy.epoch.lengthMs);
    world.observe();
  }
  if (changes) {
    world.block(aCatalogueChange(world, changes));
    world.advance(genesis.policy.epoch.lengthMs);
    world.observe();
  }
  if (at === undefined) return world;
  world.advance(at - world.time);
  world.observe();
  return world;
};

const settle = async (world: World, uid: string, land: SettleOptions['land']): Promise<void> => {
  const { windows, settlement } = world.genesis.policy;
  if (!land) return world.settle();
  world.advance(windows.challengeMs + settlement.maxDelayMs + 1000);
  const number = world.task(uid).batch!;
  const leaf = certifiedLeaf(world, batchKey(number));
  const { transaction, version } = await land(leaf);
  const { tasksRoot } = decodeBatch(fromHex(leaf.value));
  // Ledger versions of the world's own chain are small; a real one's are not.
  const ledgerVersion = version + 1_000_000n;
  world.block({
    type: 'chain.observed',
    ledgerVersion,
    time: world.time,
    escrows: [],
    settled: [{ batch: number, tasksRoot, transaction, version }],
  });
};

export const settledTask = async (options: SettleOptions = {}): Promise<SettledTask> => {
  const { name = 'coffee-by-age', resultKey = newResultKey(), admit, land } = options;
  const world = startedWorld(options);
  const [own] = options.attributes ?? [];
  const plain = aTask().named(name).with({ resultKey: resultKey.publicKey });
  const built = own ? plain.asking({ groupBy: ownName(vaultNames[0]!, own.name) }).quorum(1) : plain;
  const uid = work(world, admit ?? built);
  const other = work(world, aTask().named(`${name}-other`));
  const result = resultOf(world.task(uid));
  const blob = await sealed(result, resultKey.publicKey);
  const evidence = aggregateCommand(world, world.task(uid), world.aggregator(uid).address, blob);
  world.block(evidence);
  world.aggregate(other);
  world.followUp();
  await settle(world, uid, land);
  const record = world.task(uid);
  if (record.state !== 'completed') throw new Error(`the task is ${record.state}`);
  const { genesis } = world;
  const batch = certifiedLeaf(world, batchKey(record.batch!));
  const { tasksRoot, taskCount, epoch } = decodeBatch(fromHex(batch.value));
  return {
    world,
    genesis,
    record,
    result,
    resultKey,
    task: {
      apiVersion: API_VERSION,
      kind: 'Task',
      metadata: { name: record.name, namespace: record.namespace, uid },
      spec: record.spec,
      status: statusOf(record),
    },
    files: {
      'result.sealed': blob,
      'evidence.json': encodeCanonical({ aggregate: evidence.aggregate, slices: evidence.slices }),
      'envelope.leaf': encodeCanonical(certifiedLeaf(world, envelopeKey(uid))),
      'task.leaf': encodeCanonical(certifiedLeaf(world, `task/${uid}`)),
      'batch.leaf': encodeCanonical(batch),
      'settlement.json': settlementFile(world, record),
      ...(options.changes && { 'catalogue.json': world.state.map.get(`catalogue/${record.semanticVersion}`)! }),
      ...(own && { 'own.leaf': encodeCanonical(certifiedLeaf(world, `own/${vaultNames[0]!}`)) }),
    },
    chain: {
      chainId: genesis.chain.chainId,
      genesis: genesisDigest(genesis),
      batch: { tasksRoot, taskCount, epoch },
      transaction: { success: true, version: String(record.transaction!.version) },
    },
  };
};

/** A submitter's key folder for `actor` (a name of the test group), with that result key. */
export const submitterFolder = async (
  folder: string,
  actor: string,
  { publicKey: resultKey, seed }: SettledTask['resultKey'],
): Promise<void> => {
  const { address, publicKey, seed: actorSeed } = actorKey(actor);
  await writeKeyFolder(folder, {
    public: { kind: 'submitter', name: actor, publicKey, address, resultKey },
    secrets: { 'actor.key': actorSeed, 'result.key': seed },
  });
};
