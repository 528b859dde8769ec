/** Objects of one slice or aggregator (rules A2, M1, N10): pure functions. */
import { API_VERSION, digest, utf8, type Slice, type SliceSpec, type TaskRecord } from '@scs/protocol';
import { scpKind } from '../kube/kinds.ts';
import type { OwnerReference, Pod } from '../kube/objects.ts';
import { ownerReference } from '../kube/owner.ts';
import type { AgentConfig } from './config.ts';
import {
  commonEnv,
  containerSecurity,
  GENESIS_MOUNT,
  genesisVolume,
  HEALTH_PORT,
  httpProbe,
  memoryVolume,
  podSecurity,
  TLS_MOUNT,
  tlsVolume,
  type Container,
} from './pod-parts.ts';
import { vaultAddress } from './vault-objects.ts';

export const TASK_LABEL = 'scp.symphony.foundation/task-uid';
export const SLICE_LABEL = 'scp.symphony.foundation/slice';
export const NODE_LABELS = [
  'feature.node.kubernetes.io/cpu-security.sev.snp.enabled',
  'feature.node.kubernetes.io/cpu-security.tdx.enabled',
] as const;

const AGGREGATOR = 'aggregator';
/** A Vault's name as far as it fits; where something had to go, a digest tells it from others that begin alike. */
const partName = (vault: string | undefined): string => {
  if (vault === undefined) return AGGREGATOR;
  if (vault.length <= 18 && !vault.includes('.') && vault !== AGGREGATOR) return vault;
  return `${vault.slice(0, 10).replaceAll('.', '-')}-${digest('slice-name', utf8(vault)).slice(0, 7)}`;
};

/** Deterministic, so that a retry finds its own; short enough for a pod's name with its attempt. Without a Vault: the aggregator's. */
export const sliceName = (record: Pick<TaskRecord, 'name' | 'uid'>, vault: string | undefined): string =>
  `${record.name
    .slice(0, 28)
    .replace(/[-.]+$/, '')
    .replaceAll('.', '-')}-${record.uid.slice(0, 8)}-${partName(vault)}`.replace(/-+$/, '');

export const sliceSpec = (record: TaskRecord, role: SliceSpec['role'], vault: string | undefined): SliceSpec => ({
  taskUid: record.uid,
  taskName: record.name,
  taskNamespace: record.namespace,
  role,
  ...(vault !== undefined && { vault }),
  envelopeDigest: record.envelope!,
  deadline: new Date(record.deadline).toISOString(),
});

/** Owned by the agent's Deployment: `helm uninstall` in the middle of a task leaves no slice behind. */
export const sliceObject = (
  namespace: string,
  record: TaskRecord,
  role: SliceSpec['role'],
  vault: string | undefined,
  owner: OwnerReference,
): Slice => ({
  apiVersion: API_VERSION,
  kind: 'Slice',
  metadata: {
    name: sliceName(record, vault),
    namespace,
    labels: { [TASK_LABEL]: record.uid, 'app.kubernetes.io/managed-by': 'scs-agent', 'app.kubernetes.io/part-of': 'symphony' },
    ownerReferences: [{ ...owner, controller: false, blockOwnerDeletion: false }],
  },
  spec: sliceSpec(record, role, vault),
});

export const podName = (slice: string, attempt: number): string => `${slice}-${attempt}`;

/** `enterprise` is the account address that an aggregator stands for. */
export const slicePod = (slice: Slice, attempt: number, config: AgentConfig, enterprise: string, simulated: boolean): Pod => {
  const { role, vault, taskUid } = slice.spec;
  const subject = role === 'slice' ? `${slice.metadata.namespace}/${vault}` : enterprise;
  const sidecar = sidecarContainer(config, role, taskUid, subject, vault && vaultAddress(slice.metadata.namespace!, vault), simulated);
  const labels = {
    'app.kubernetes.io/name': 'scs-slice',
    'app.kubernetes.io/component': role,
    'app.kubernetes.io/part-of': 'symphony',
    [TASK_LABEL]: taskUid,
    [SLICE_LABEL]: slice.metadata.name,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(slice.metadata.name, attempt),
      namespace: slice.metadata.namespace!,
      labels,
      ownerReferences: [
        ownerReference(
          { apiVersion: slice.apiVersion, kind: slice.kind, metadata: { name: slice.metadata.name, uid: slice.metadata.uid! } },
          scpKind('Slice'),
        ),
      ],
    },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'OnFailure',
      terminationGracePeriodSeconds: 10,
      securityContext: podSecurity()!,
      affinity: teeAffinity(),
      ...(config.runtimeClass && { runtimeClassName: config.runtimeClass }),
      ...(role === 'slice'
        ? { initContainers: [{ ...sidecar, restartPolicy: 'Always' }], containers: [executorContainer(config)] }
        : { containers: [sidecar] }),
      volumes: [
        genesisVolume(),
        tlsVolume(),
        memoryVolume('scratch', config.sliceMemory),
        ...(simulated ? [{ name: 'chip', secret: { secretName: 'scs-chip', defaultMode: 0o440 } }] : []),
      ],
    },
  };
};

/** Whether the pod runs other images than it would be made with now. */
export const hasOtherImages = (pod: Pod, { images }: AgentConfig): boolean =>
  [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].some(
    ({ name, image }) => image !== (name === 'executor' ? images.executor : images.sidecar),
  );

/** Either technology will do: OR of two terms, not AND. The label says that the host can launch such guests. */
const teeAffinity = () => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: NODE_LABELS.map((key) => ({ matchExpressions: [{ key, operator: 'In', values: ['true'] }] })),
    },
  },
});

const sidecarContainer = (
  config: AgentConfig,
  role: string,
  task: string,
  subject: string,
  vault: string | undefined,
  simulated: boolean,
): Container => ({
  name: 'enclave-sidecar',
  image: config.images.sidecar,
  imagePullPolicy: config.images.pullPolicy,
  env: [
    ...commonEnv(config.masters),
    { name: 'SCS_ROLE', value: role },
    { name: 'SCS_TASK', value: task },
    { name: 'SCS_SUBJECT', value: subject },
    ...(vault ? [{ name: 'SCS_VAULT_ADDRESS', value: vault }] : []),
    ...(simulated ? [{ name: 'SCS_CHIP', value: '/etc/scs/chip/chip.json' }] : []),
    { name: 'SCS_SCRATCH', value: '/scratch' },
    { name: 'SCS_SOCKET', value: '/scratch/enclave.sock' },
  ],
  ports: [HEALTH_PORT],
  securityContext: containerSecurity()!,
  terminationMessagePolicy: 'File',
  resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '512Mi' } },
  livenessProbe: httpProbe('/livez', { periodSeconds: 10, failureThreshold: 6, initialDelaySeconds: 5 }),
  volumeMounts: [
    GENESIS_MOUNT,
    TLS_MOUNT,
    { name: 'scratch', mountPath: '/scratch' },
    ...(simulated ? [{ name: 'chip', mountPath: '/etc/scs/chip', readOnly: true }] : []),
  ],
});

const executorContainer = (config: AgentConfig): Container => ({
  name: 'executor',
  image: config.images.executor,
  imagePullPolicy: config.images.pullPolicy,
  env: [
    { name: 'SCS_SOCKET', value: '/scratch/enclave.sock' },
    { name: 'SCS_SCRATCH', value: '/scratch' },
  ],
  securityContext: containerSecurity()!,
  terminationMessagePolicy: 'File',
  resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '1Gi' } },
  volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
});
