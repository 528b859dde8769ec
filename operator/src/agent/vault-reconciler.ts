/** Vault: gather -> decide -> act. Makes its objects, asks it how it is, registers it with the masters. */
import { randomBytes } from 'node:crypto';
import { API_VERSION, decodeRecord, signStatement, type Vault, type VaultOffer, type VaultRecord } from '@scs/protocol';
import { MastersUnavailable, type Masters } from '@scs/proto/masters-client.ts';
import type { Cluster } from '../kube/client.ts';
import { isApiError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import * as kinds from '../kube/kinds.ts';
import type { Pod, Secret, Service } from '../kube/objects.ts';
import { sameJson } from '../kube/same-json.ts';
import type { Requeue } from '../kube/work-queue.ts';
import type { AgentConfig } from './config.ts';
import { decideVault, type VaultHealth } from './decide-vault.ts';
import { asAllowed } from './rights-objects.ts';
import {
  rightsService,
  vaultAddress,
  vaultConfigMap,
  vaultDataKey,
  vaultNetworkPolicy,
  vaultObjectName,
  vaultService,
  vaultStatefulSet,
} from './vault-objects.ts';

export interface VaultContext {
  readonly cluster: Pick<Cluster, 'get' | 'apply' | 'applyStatus' | 'create' | 'delete'>;
  readonly masters: Pick<Masters, 'getLeaf' | 'submit'>;
  readonly config: AgentConfig;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly enterprise: { readonly address: string; readonly seed: string };
  readonly genesisDigest: string;
  readonly now: () => number;
  /** undefined when the Vault doesn't answer. */
  readonly healthOf: (address: string, signal: AbortSignal) => Promise<VaultHealth | undefined>;
}
const NOT_READY_MS = 2_000;
const READY_MS = 30_000;

export const reconcileVault = async (
  context: VaultContext,
  vault: Vault,
  refusals: Map<string, Refusal>,
  signal: AbortSignal,
): Promise<Requeue> => {
  const { cluster, config, enterprise } = context;
  if (vault.metadata.deletionTimestamp) return {};
  if (vault.spec.enterprise === enterprise.address) await ensureObjects(context, vault, signal);
  const key = `${vault.metadata.namespace}/${vault.metadata.name}`;
  const [pod, health, known] = await Promise.all([
    cluster.get<Pod>({ kind: kinds.Pod, namespace: config.namespace, name: `${vaultObjectName(vault.metadata.name)}-0` }, { signal }),
    context.healthOf(vaultAddress(config.namespace, vault.metadata.name), signal),
    certifiedVault(context, key, signal),
  ]);
  const decision = decideVault(
    { vault, enterprise: enterprise.address, pod, health, ...known, refusal: refusals.get(key), subjectRights: config.subjectRights },
    context.now(),
  );
  if (decision.register) await register(context, decision.register, refusals, signal);
  await writeStatus(context, vault, decision.status);
  return { requeueAfterMs: decision.status.state === 'Ready' ? READY_MS : NOT_READY_MS };
};

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

const ensureObjects = async ({ cluster, config }: VaultContext, asked: Vault, signal: AbortSignal): Promise<void> => {
  const vault = asAllowed(asked, config);
  await ensureDataKey(cluster, vault, signal);
  await cluster.apply(vaultConfigMap(vault), { signal });
  await cluster.apply(vaultService(vault), { signal });
  await ensureRightsService(cluster, vault, config, signal);
  await cluster.apply(vaultNetworkPolicy(vault, config), { signal });
  await cluster.apply(vaultStatefulSet(vault, config), { signal });
};

/** Without `rights` none is left open: the one that was made before goes, and nobody else's of that name. */
const ensureRightsService = async (
  cluster: VaultContext['cluster'],
  vault: Vault,
  config: AgentConfig,
  signal: AbortSignal,
): Promise<void> => {
  const wanted = rightsService(vault, config);
  if (vault.spec.rights) return void (await cluster.apply(wanted, { signal }));
  const ref = { kind: kinds.Service, namespace: wanted.metadata.namespace!, name: wanted.metadata.name };
  const found = await cluster.get<Service>(ref, { signal });
  const uid = found?.metadata?.uid;
  if (uid === undefined || !found?.metadata?.ownerReferences?.some((owner) => owner.uid === vault.metadata.uid)) return;
  await cluster.delete(ref, { uid, signal });
};

/** Created, never applied: a second agent or a retry must not change the key under a Vault that holds data. */
const ensureDataKey = async (cluster: VaultContext['cluster'], vault: Vault, signal: AbortSignal): Promise<void> => {
  const wanted = vaultDataKey(vault, randomBytes(32).toString('hex'));
  const found = await cluster.get<Secret>(
    { kind: kinds.Secret, namespace: wanted.metadata.namespace!, name: wanted.metadata.name },
    { signal },
  );
  if (found) return;
  try {
    await cluster.create(wanted, { signal });
  } catch (thrown) {
    if (!isApiError(thrown, 'AlreadyExists')) throw thrown;
  }
};

const certifiedVault = async ({ masters }: VaultContext, key: string, signal: AbortSignal): Promise<Certified> => {
  try {
    const leaf = await masters.getLeaf(`vault/${key}`, { signal, timeoutMs: 5_000 });
    return { mastersReachable: true, certified: leaf && decodeRecord('vault', leaf.value) };
  } catch (thrown) {
    if (thrown instanceof MastersUnavailable) return { mastersReachable: false, certified: undefined };
    throw thrown;
  }
};
interface Certified {
  readonly mastersReachable: boolean;
  readonly certified: VaultRecord | undefined;
}

const register = async (
  { masters, enterprise, genesisDigest }: VaultContext,
  offer: VaultOffer,
  refusals: Map<string, Refusal>,
  signal: AbortSignal,
): Promise<void> => {
  const signature = signStatement(enterprise.seed, 'vault.register', genesisDigest, offer);
  const submitted = await masters.submit({ type: 'vault.register', offer, signature }, { signal });
  if (submitted.ok || submitted.code === 'AlreadyDecided') refusals.delete(offer.vault);
  else refusals.set(offer.vault, { code: submitted.code, message: submitted.message });
};

const writeStatus = async ({ cluster, events }: VaultContext, vault: Vault, status: NonNullable<Vault['status']>): Promise<void> => {
  const before = vault.status;
  if (sameJson(before, status)) return;
  await cluster.applyStatus({
    apiVersion: API_VERSION,
    kind: 'Vault',
    metadata: { name: vault.metadata.name, namespace: vault.metadata.namespace! },
    status,
  });
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  if (before?.state === status.state || !ready) return;
  events.record({
    regarding: {
      apiVersion: API_VERSION,
      kind: 'Vault',
      metadata: { name: vault.metadata.name, namespace: vault.metadata.namespace!, uid: vault.metadata.uid! },
    },
    type: status.state === 'Degraded' ? 'Warning' : 'Normal',
    reason: ready.reason,
    action: 'Reconcile',
    note: ready.message,
  });
};
