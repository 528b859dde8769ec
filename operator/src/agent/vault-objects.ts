/** Objects of one Vault (rule C5, ARCHITECTURE "Vault"): pure functions from the resource to what should exist. */
import { createHash } from 'node:crypto';
import { VaultSpec, type Vault } from '@scs/protocol';
import { activationParts } from './activation-objects.ts';
import { scpKind } from '../kube/kinds.ts';
import type { ConfigMap, KubeObject, Secret, Service, StatefulSet } from '../kube/objects.ts';
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
} from './pod-parts.ts';
import { rightsObjectName, rightsParts, rightsServiceSpec } from './rights-objects.ts';

export const VAULT_PORT = 7445;
export const vaultObjectName = (vault: string): string => `vault-${vault}`;
export const vaultAddress = (namespace: string, vault: string): string => `${vaultObjectName(vault)}.${namespace}.svc:${VAULT_PORT}`;

const labelsOf = (vault: Vault) => ({
  'app.kubernetes.io/name': 'scs-vault',
  'app.kubernetes.io/instance': vault.metadata.name,
  'app.kubernetes.io/managed-by': 'scs-agent',
  'app.kubernetes.io/part-of': 'symphony',
});
const metadataOf = (vault: Vault, name = vaultObjectName(vault.metadata.name)) => ({
  name,
  namespace: vault.metadata.namespace!,
  labels: labelsOf(vault),
  ownerReferences: [ownerReference({ ...vault, metadata: { name: vault.metadata.name, uid: vault.metadata.uid! } }, scpKind('Vault'))],
});

/** Canonical spec, with defaults, that the Vault process reads. */
export const vaultSpecJson = (vault: Vault): string => JSON.stringify(VaultSpec.parse(vault.spec));

export const vaultConfigMap = (vault: Vault): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadataOf(vault),
  data: { 'spec.json': vaultSpecJson(vault) },
});

/** The key that wraps the data key, or did before a KMS. Made once; its owner may replace it, with the one before in `previous`. */
export const vaultDataKey = (vault: Vault, keyHex: string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: metadataOf(vault, `${vaultObjectName(vault.metadata.name)}-data-key`),
  type: 'Opaque',
  data: { key: Buffer.from(keyHex).toString('base64') },
});

export const vaultService = (vault: Vault): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadataOf(vault),
  spec: {
    selector: labelsOf(vault),
    ports: [{ name: 'grpc', port: VAULT_PORT, targetPort: 'grpc', protocol: 'TCP' }],
    // The agent asks a Vault that is still importing how far it is.
    publishNotReadyAddresses: true,
  },
});

/** For subjects (C4), whom the one above is not for. */
export const rightsService = (vault: Vault, { rightsServiceType }: Pick<AgentConfig, 'rightsServiceType'>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadataOf(vault, rightsObjectName(vault.metadata.name)),
  spec: rightsServiceSpec(labelsOf(vault), rightsServiceType),
});

/** Not below the data's mount: a backup of that one must not hold this one (B8). */
const JOURNAL_PATH = '/var/lib/scs-journal';
const BACKUP_PATH = '/var/lib/scs-backup';
const CLOUD_PATH = '/etc/scs/cloud';

/** What the manifest names beside the Vault's own volume: environment, mounts, volumes. */
const placesOf = ({ journal, backup, cloudSecret, importVolumeClaim }: VaultSpec) => {
  const claims = [
    { name: 'journal', variable: 'SCS_JOURNAL', path: JOURNAL_PATH, claimName: journal?.volumeClaim, readOnly: false },
    { name: 'backup', variable: 'SCS_BACKUP', path: BACKUP_PATH, claimName: backup?.volumeClaim, readOnly: false },
    { name: 'import', variable: 'SCS_IMPORT', path: '/import', claimName: importVolumeClaim, readOnly: true },
  ].flatMap(({ claimName, ...more }) => (claimName === undefined ? [] : [{ ...more, claimName }]));
  const only = (readOnly: boolean): { readOnly?: true } => (readOnly ? { readOnly } : {});
  return {
    env: [
      ...claims.map(({ variable, path }) => ({ name: variable, value: path })),
      ...(cloudSecret === undefined ? [] : [{ name: 'SCS_CLOUD', value: CLOUD_PATH }]),
    ],
    mounts: [
      ...claims.map(({ name, path, readOnly }) => ({ name, mountPath: path, ...only(readOnly) })),
      ...(cloudSecret === undefined ? [] : [{ name: 'cloud', mountPath: CLOUD_PATH, readOnly: true }]),
    ],
    volumes: [
      ...claims.map(({ name, claimName, readOnly }) => ({ name, persistentVolumeClaim: { claimName, ...only(readOnly) } })),
      ...(cloudSecret === undefined ? [] : [{ name: 'cloud', secret: { secretName: cloudSecret, defaultMode: 0o440 } }]),
    ],
  };
};

export const vaultStatefulSet = (vault: Vault, config: Pick<AgentConfig, 'masters' | 'images'>): StatefulSet => {
  const labels = labelsOf(vault);
  const spec = VaultSpec.parse(vault.spec);
  const { storage } = spec;
  const places = placesOf(spec);
  const rights = rightsParts(spec);
  const activation = activationParts(spec);
  const name = vaultObjectName(vault.metadata.name);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: metadataOf(vault),
    spec: {
      serviceName: name,
      replicas: 1,
      selector: { matchLabels: labels },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      template: {
        metadata: {
          labels,
          annotations: { 'scp.symphony.foundation/spec-digest': createHash('sha256').update(vaultSpecJson(vault)).digest('hex') },
        },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: podSecurity()!,
          terminationGracePeriodSeconds: 30,
          containers: [
            {
              name: 'vault',
              image: config.images.vault,
              imagePullPolicy: config.images.pullPolicy,
              env: [
                ...commonEnv(config.masters),
                { name: 'SCS_VAULT', value: `${vault.metadata.namespace}/${vault.metadata.name}` },
                { name: 'SCS_VAULT_SPEC', value: '/etc/scs/vault/spec.json' },
                { name: 'SCS_DATA', value: '/var/lib/scs' },
                { name: 'SCS_DATA_KEY', value: '/etc/scs/data-key/key' },
                ...places.env,
                ...activation.env,
              ],
              ports: [{ name: 'grpc', containerPort: VAULT_PORT }, HEALTH_PORT, ...rights.ports],
              securityContext: containerSecurity()!,
              resources: { requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '2Gi' } },
              startupProbe: httpProbe('/livez', { periodSeconds: 2, failureThreshold: 60 }),
              livenessProbe: httpProbe('/livez', { periodSeconds: 10, failureThreshold: 3 }),
              readinessProbe: httpProbe('/readyz', { periodSeconds: 3 }),
              volumeMounts: [
                GENESIS_MOUNT,
                TLS_MOUNT,
                { name: 'spec', mountPath: '/etc/scs/vault', readOnly: true },
                { name: 'data-key', mountPath: '/etc/scs/data-key', readOnly: true },
                { name: 'data', mountPath: '/var/lib/scs' },
                { name: 'tmp', mountPath: '/tmp' },
                ...places.mounts,
                ...rights.mounts,
                ...activation.mounts,
              ],
            },
          ],
          volumes: [
            genesisVolume(),
            tlsVolume(),
            { name: 'spec', configMap: { name } },
            { name: 'data-key', secret: { secretName: `${name}-data-key`, defaultMode: 0o440 } },
            memoryVolume('tmp', '256Mi'),
            ...places.volumes,
            ...rights.volumes,
            ...activation.volumes,
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            ...(storage.storageClassName && { storageClassName: storage.storageClassName }),
            resources: { requests: { storage: storage.size } },
          },
        },
      ],
    },
  };
};

const tcp = (port: number) => ({ port, protocol: 'TCP' });
/** Masters may be exposed at other ports than ours in another cluster. */
const masterPorts = (masters: readonly string[]): number[] => [...new Set(masters.map((address) => Number(address.split(':').at(-1))))];

/** Buckets and the KMS that the manifest names: NetworkPolicy knows ports, not names. */
const cloudEgress = ({
  encryption,
  journal,
  backup,
  sources = [],
}: Partial<VaultSpec>): readonly { readonly ports: readonly object[] }[] => {
  const places = [encryption?.kms, journal?.s3, backup?.s3, ...sources.map(({ s3 }) => s3)].filter((place) => place !== undefined);
  const portOf = (endpoint = 'https://'): number => Number(/:(\d+)$/.exec(endpoint)?.[1] ?? (endpoint.startsWith('https:') ? 443 : 80));
  const ports = [...new Set(places.map(({ endpoint }) => portOf(endpoint)))].toSorted((a, b) => a - b);
  return ports.length === 0 ? [] : [{ ports: ports.map(tcp) }];
};

/**
 * Only slices and the agent of this namespace come in; only masters, DNS, and what the manifest names are reached. A CNI has to enforce it. With `rights`,
 * anybody comes in to the subjects' port, and the issuer's keys are reached.
 * Typed by hand: client-node's type spells `from` as `_from`; the wire does not.
 */
export const vaultNetworkPolicy = (vault: Vault, { masters }: Pick<AgentConfig, 'masters'>): KubeObject & { readonly spec: object } => {
  const rights = rightsParts(vault.spec);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(vault),
    spec: {
      podSelector: { matchLabels: labelsOf(vault) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'scs-slice' } } },
            { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'scs-agent' } } },
          ],
          ports: [tcp(VAULT_PORT)],
        },
        ...rights.ingress,
      ],
      egress: [
        { ports: masterPorts(masters).map(tcp) },
        { ports: [{ port: 53, protocol: 'UDP' }, tcp(53)] },
        ...rights.egress,
        ...cloudEgress(vault.spec),
        ...activationParts(vault.spec).egress,
      ],
    },
  };
};
