/** The enterprise's agent (rule N10): Vaults and slices in its own namespace, from certified commands. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { z } from 'zod';
import {
  addressOf,
  decodeCanonical,
  decodeGenesisFile,
  genesisDigest,
  LocalAttribute,
  publicKeyOf,
  type Genesis,
  type Slice,
  type Vault,
} from '@scs/protocol';
import { grpcClient, VaultNode } from '@scs/proto';
import { createMasters } from '@scs/proto/masters-client.ts';
import { authoritiesOf, clientCredentials, enterpriseIdentity, type TlsFiles } from '@scs/proto/tls.ts';
import { createCluster } from '../kube/client.ts';
import { createEventRecorder } from '../kube/events.ts';
import { startHealth } from '../kube/health.ts';
import { startInformer } from '../kube/informer.ts';
import * as kinds from '../kube/kinds.ts';
import { informerMetrics, queueMetrics } from '../kube/metrics.ts';
import type { OwnerReference, Pod } from '../kube/objects.ts';
import { createWorkQueue, type Requeue } from '../kube/work-queue.ts';
import { readConfig, type AgentConfig } from './config.ts';
import type { VaultHealth } from './decide-vault.ts';
import { SLICE_LABEL, TASK_LABEL } from './slice-objects.ts';
import { reconcileTask, SliceReconciler } from './slice-reconciler.ts';
import { CertifiedTasks } from './tasks.ts';
import { reconcileVault, type Refusal } from './vault-reconciler.ts';

const log = pino({ name: 'agent', level: process.env['SCS_LOG_LEVEL'] ?? 'info' });
const DEPLOYMENT = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true };
const STUCK_MS = 120_000;

interface Identity {
  readonly genesis: Genesis;
  readonly digest: string;
  readonly address: string;
  readonly seed: string;
  readonly tls: TlsFiles;
}

/** Throws an Error that says which file is wrong. */
const loadIdentity = async (config: AgentConfig): Promise<Identity> => {
  const genesis = decodeGenesisFile(await readFile(config.genesisFile));
  const seed = (await readFile(join(config.keysFolder, 'actor.key'), 'utf8')).trim();
  const address = addressOf(publicKeyOf(seed));
  const actor = genesis.actors.find((a) => a.address === address);
  if (actor?.role !== 'enterprise')
    throw new Error(`${address} (key ${config.keysFolder}/actor.key) is no enterprise of this genesis. Use the key that was registered.`);
  if (actor.enterprise?.namespace !== config.namespace)
    throw new Error(
      `Enterprise ${actor.name} is registered for namespace ${actor.enterprise?.namespace}, the agent runs in ${config.namespace}. Install it there.`,
    );
  if (genesis.enclave.kind !== 'simulated' && !config.runtimeClass)
    throw new Error('SCS_RUNTIME_CLASS is required unless the genesis says simulated: slices need a Kata runtime class (A2).');
  const [certificatePem, keyPem] = await Promise.all([
    readFile(join(config.tlsFolder, 'tls.crt'), 'utf8'),
    readFile(join(config.tlsFolder, 'tls.key'), 'utf8'),
  ]);
  return { genesis, digest: genesisDigest(genesis), address, seed, tls: { certificatePem, keyPem } };
};

/** Throws on anything else: what goes into an offer is read like anything from outside. */
const localAttributesOf = (bytes: Uint8Array): readonly LocalAttribute[] =>
  bytes.length === 0 ? [] : z.array(LocalAttribute).max(64).parse(decodeCanonical(bytes));

/** One cached client a Vault; an unreachable Vault is an answer, not an error. */
const vaultHealth = ({ genesis, address, tls }: Identity) => {
  const credentials = clientCredentials(tls, authoritiesOf(genesis), enterpriseIdentity(address));
  const clients = new Map<string, ReturnType<typeof connect>>();
  const connect = (target: string) => grpcClient(VaultNode, target, credentials);
  return async (target: string, signal: AbortSignal): Promise<VaultHealth | undefined> => {
    const client = clients.get(target) ?? connect(target);
    clients.set(target, client);
    try {
      const reply = await client.health({}, { timeoutMs: 5_000, signal });
      const { ready, reason, message, publicKey, noiseKeyCommitment } = reply;
      return {
        ready,
        reason,
        message,
        publicKey,
        noiseKeyCommitment,
        journal: { sequence: reply.journalSequence, head: reply.journalHead },
        localAttributes: localAttributesOf(reply.localAttributes),
      };
    } catch (cause) {
      log.debug({ target, cause: cause instanceof Error ? cause.message : String(cause) }, 'the Vault does not answer');
      return undefined;
    }
  };
};

/** Says the same thing at most once in `ms`: an unreachable master is tried often. */
const quietly = (ms: number, say: (master: number, code: string) => void) => {
  const said = new Map<string, number>();
  return (master: number, code: string): void => {
    const key = `${master}/${code}`;
    if (Date.now() - (said.get(key) ?? 0) < ms) return;
    said.set(key, Date.now());
    say(master, code);
  };
};

const run = async (signal: AbortSignal): Promise<void> => {
  const config = readConfig(process.env);
  const identity = await loadIdentity(config);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const cluster = createCluster(kubeConfig, { fieldManager: 'scs-agent', userAgent: 'scs-agent' });
  const deployment = await cluster.get({ kind: DEPLOYMENT, namespace: config.namespace, name: config.deployment });
  if (!deployment)
    throw new Error(`There is no Deployment ${config.deployment} in ${config.namespace}: set SCS_DEPLOYMENT to the agent's own.`);
  const owner: OwnerReference = { apiVersion: 'apps/v1', kind: 'Deployment', name: config.deployment, uid: deployment.metadata.uid! };
  const masters = createMasters({
    addresses: config.masters,
    tls: identity.tls,
    genesis: identity.genesis,
    genesisDigest: identity.digest,
    onFault: quietly(30_000, (master, code) => log.warn({ master, code }, 'a master did not answer well')),
  });
  const health = await startHealth({ port: config.healthPort });
  let synced = false;
  health.require({ name: 'informers', ready: () => synced });
  const events = createEventRecorder({ cluster, controller: 'scp.symphony.foundation/agent', instance: hostname(), signal });
  const tasks = new CertifiedTasks(masters, Date.now);
  const refusals = new Map<string, Refusal>();

  const queue = createWorkQueue<string>({
    concurrency: 8,
    observer: queueMetrics(health.registry, 'agent'),
    logger: log,
    reconcile: (key, stop) => reconcile(key, stop),
  });
  const inNamespace = { cluster, namespace: config.namespace, signal, logger: log };
  const vaults = startInformer<Vault & Pod>({
    ...inNamespace,
    kind: kinds.scpKind('Vault'),
    observer: informerMetrics(health.registry, 'Vault'),
    onChange: ({ object }) => void queue.add(`vault:${object.metadata.name}`),
  });
  const slices = startInformer<Slice & Pod>({
    ...inNamespace,
    kind: kinds.scpKind('Slice'),
    observer: informerMetrics(health.registry, 'Slice'),
    onChange: ({ object }) => void queue.add(`slice:${object.metadata.name}`),
  });
  const pods = startInformer<Pod>({
    ...inNamespace,
    kind: kinds.Pod,
    labelSelector: 'app.kubernetes.io/part-of=symphony',
    observer: informerMetrics(health.registry, 'Pod'),
    onChange: ({ object }) => {
      const slice = object.metadata.labels?.[SLICE_LABEL];
      if (slice) queue.add(`slice:${slice}`);
    },
  });

  const sliceContext = {
    cluster,
    config,
    events,
    tasks,
    enterprise: identity.address,
    simulated: identity.genesis.enclave.kind === 'simulated',
    owner,
    now: Date.now,
    slices: () => slices.list(),
    pods: () => pods.list(),
  };
  const sliceReconciler = new SliceReconciler(sliceContext);
  const vaultContext = {
    cluster,
    masters,
    config,
    events,
    enterprise: identity,
    genesisDigest: identity.digest,
    now: Date.now,
    healthOf: vaultHealth(identity),
  };

  const reconcile = async (key: string, stop: AbortSignal): Promise<Requeue | void> => {
    const [kind, name] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
    if (kind === 'vault') {
      const vault = vaults.get(config.namespace, name);
      return vault && reconcileVault(vaultContext, vault, refusals, stop);
    }
    if (kind === 'slice') {
      const slice = slices.get(config.namespace, name);
      return slice && sliceReconciler.reconcile(slice, stop);
    }
    const task = tasks.get(name);
    if (!task) return;
    await reconcileTask(sliceContext, task.record, stop);
    for (const slice of slices.list()) if (slice.metadata.labels?.[TASK_LABEL] === name) queue.add(`slice:${slice.metadata.name}`);
  };

  health.watchLoop({ name: 'queue', lastProgressAt: () => queue.lastProgressAt(), maxAgeMs: STUCK_MS });
  for (const [name, informer] of Object.entries({ vaults, slices, pods }))
    health.watchLoop({ name, lastProgressAt: () => informer.lastEventAt(), maxAgeMs: 10 * 60_000 });
  await Promise.all([vaults.hasSynced(), slices.hasSynced(), pods.hasSynced()]);
  synced = true;
  log.info(
    { enterprise: identity.address, namespace: config.namespace, genesis: identity.digest, simulated: sliceContext.simulated },
    'the agent runs',
  );
  await tasks.follow((uid) => void queue.add(`task:${uid}`), signal);
  await queue.stop();
  masters.close();
  await health.close();
};

const abort = new AbortController();
process.once('SIGTERM', () => abort.abort());
process.once('SIGINT', () => abort.abort());
try {
  await run(abort.signal);
} catch (cause) {
  if (!abort.signal.aborted) {
    log.fatal({ cause: cause instanceof Error ? cause.message : String(cause) }, 'the agent stops');
    process.exitCode = 1;
  }
}
process.exit();
