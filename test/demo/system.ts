/** The system on a cluster: namespaces, Secrets, charts, contracts, Vaults with their records. Each step may be repeated. */
import { readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Account, Aptos, AptosConfig, Ed25519PrivateKey, Network } from '@aptos-labs/ts-sdk';
import { ensureHelm, ensureKubectl } from '../cluster/cluster.ts';
import { kubectlOf, type Kubectl } from '../cluster/kubectl.ts';
import { checkInterrupt } from '../cluster/interrupt.ts';
import { attempt, run } from '../cluster/run.ts';
import { publishScs } from '../../contracts/publish.ts';
import { DOMAIN, enterprises, type DemoData, type Enterprise } from './data.ts';
import { repository } from './folders.ts';
import { gasAddresses, identities, type Group } from './group.ts';

export const SYSTEM = 'scs';
export const submitterNamespaces = identities.submitters;
const TEE_LABEL = 'feature.node.kubernetes.io/cpu-security.sev.snp.enabled';
const GAS = 1_000_000_000;

export interface Images {
  readonly master: string;
  readonly agent: string;
  readonly vault: string;
  readonly sidecar: string;
  readonly executor: string;
  readonly devnet: string;
}
export interface System {
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  readonly group: Group;
  /** URL of the chain, reachable from here. */
  readonly chainUrl: string;
  readonly stop: () => void;
}

/** Waits for what `look` finds; throws with what was being waited for. `look` returns undefined for "not yet". */
export const until = async <T>(what: string, timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> => {
  const end = Date.now() + timeoutMs;
  for (;;) {
    checkInterrupt();
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`waited ${Math.round(timeoutMs / 1000)} s in vain for ${what}`);
    await sleep(500);
  }
};

/** Namespaces, submitters' rights, Secrets: what the charts expect to find. */
export const prepareNamespaces = async (kubectl: Kubectl, group: Group): Promise<void> => {
  const namespace = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
  await kubectl.apply(...[SYSTEM, ...enterprises, ...submitterNamespaces].map(namespace));
  await kubectl.apply(
    ...submitterNamespaces.map((name) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'submitters', namespace: name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'scs-submitter' },
      subjects: submitterNamespaces.map((user) => ({ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' })),
    })),
  );
  for (const i of identities.masters) await applySecrets(kubectl, group, `master-${i}`, SYSTEM);
  for (const name of enterprises) await applySecrets(kubectl, group, `enterprise-${name}`, name);
  await kubectl('label', 'nodes', '--all', '--overwrite', `${TEE_LABEL}=true`);
};

const applySecrets = async (kubectl: Kubectl, group: Group, identity: string, namespace: string): Promise<void> => {
  const manifests = await group.symphony('keygen', 'secrets', group.keys(identity), '-n', namespace);
  await kubectl.applyText(manifests);
};

const helm = async (kubeconfig: string, ...args: readonly string[]): Promise<void> => {
  await run(await ensureHelm(), args, { env: { ...process.env, KUBECONFIG: kubeconfig }, timeoutMs: 180_000 });
};

export const installMasters = (kubeconfig: string, group: Group, images: Images, more: readonly string[] = []): Promise<void> =>
  helm(
    kubeconfig,
    'upgrade',
    '--install',
    'scs',
    join(repository, 'charts/scs'),
    '-n',
    SYSTEM,
    '--set-file',
    `genesis=${group.genesisFile}`,
    '--set',
    `submitterNamespaces={${submitterNamespaces.join(',')}}`,
    '--set',
    'simulation=true,devnet.enabled=true,masters.storage=1Gi,devnet.storage=1Gi',
    '--set',
    `image.master=${images.master},image.counter=${images.sidecar},image.devnet=${images.devnet}`,
    ...more,
  );

export const installEnterprise = (
  kubeconfig: string,
  group: Group,
  images: Images,
  name: Enterprise,
  more: readonly string[] = [],
): Promise<void> =>
  helm(
    kubeconfig,
    'upgrade',
    '--install',
    'scs-enterprise',
    join(repository, 'charts/scs-enterprise'),
    '-n',
    name,
    '--set-file',
    `genesis=${group.genesisFile}`,
    '--set',
    'simulation=true',
    '--set',
    `image.agent=${images.agent},image.vault=${images.vault},image.sidecar=${images.sidecar},image.executor=${images.executor}`,
    ...more,
  );

export const uninstall = (kubeconfig: string, release: string, namespace: string): Promise<void> =>
  helm(kubeconfig, 'uninstall', release, '-n', namespace, '--wait', '--timeout', '2m');

/** A port-forward that is started again whenever it ends: the devnet's pod may be killed. */
export const forward = async (
  kubeconfig: string,
  namespace: string,
  service: string,
  port: number,
  signal: AbortSignal,
): Promise<string> => {
  const kubectl = await ensureKubectl();
  let local: number | undefined;
  const start = (): Promise<number> =>
    new Promise((resolve) => {
      const child = spawn(kubectl, ['port-forward', '-n', namespace, `service/${service}`, `${local ?? ''}:${port}`], {
        env: { ...process.env, KUBECONFIG: kubeconfig },
        stdio: ['ignore', 'pipe', 'ignore'],
        signal,
      });
      child.on('error', () => undefined);
      child.stdout.on('data', (chunk: Buffer) => {
        const found = /127\.0\.0\.1:(\d+)/.exec(chunk.toString());
        if (found) resolve(Number(found[1]));
      });
      child.once('exit', () => {
        if (!signal.aborted) setTimeout(() => void start().then((again) => (local = again)), 500).unref();
      });
    });
  local = await start();
  return `http://127.0.0.1:${local}`;
};

/** Gas for those who sign transactions, the contracts, and their first state from the genesis. */
export const settleChain = async (url: string, group: Group): Promise<void> => {
  const publisher = Account.fromPrivateKey({
    privateKey: new Ed25519PrivateKey(`0x${readFileSync(join(group.keys('publisher'), 'account.key'), 'utf8').trim()}`),
  });
  const payers = [publisher.accountAddress.toStringLong(), ...gasAddresses(group), ...group.genesis.actors.map((a) => a.address)];
  for (const address of payers) await faucet(url, address);
  const aptos = new Aptos(new AptosConfig({ network: Network.CUSTOM, fullnode: `${url}/v1` }));
  await publishScs({
    aptos,
    publisher,
    genesis: {
      digest: group.digest,
      masters: group.genesis.masters.map((m) => m.publicKey),
      recoveryKeys: group.genesis.recoveryKeys,
      simulated: group.genesis.enclave.kind === 'simulated',
      treasuryReserve: group.genesis.chain.treasuryReserve,
      escrowDelaySeconds: group.genesis.chain.escrowDelaySeconds,
      escrowWindowSeconds: group.genesis.chain.escrowWindowSeconds,
      allocations: group.genesis.actors.filter((a) => a.allocation > 0n).map((a) => ({ address: a.address, amount: a.allocation })),
    },
  });
};

const faucet = async (url: string, address: string): Promise<void> => {
  const answer = await fetch(`${url}/fund`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address, amount: GAS }),
    signal: AbortSignal.timeout(20_000),
  });
  if (!answer.ok) throw new Error(`the devnet's faucet refused ${address}: ${await answer.text()}`);
};

/** Vault manifests, with the addresses of this group filled in. */
export const vaultManifest = (group: Group, name: Enterprise): string =>
  readFileSync(join(repository, 'examples/vaults', `${name}.yaml`), 'utf8')
    .replaceAll(`\${${name}}`, group.addressOf(`enterprise-${name}`))
    .replaceAll('${roastery}', group.addressOf('submitter-roastery'));

/** Streams a Parquet file into the Vault's pod; its own process imports it, once. */
export const loadRecords = async (kubectl: Kubectl, name: Enterprise, data: DemoData): Promise<void> => {
  await importFile(kubectl, name, data.records[name], ['--domain', DOMAIN]);
  await importFile(kubectl, name, data.consents[name], ['--consents']);
};
/** `options` of the Vault's own command: --consents, or --domain and its name. */
export const importFile = async (kubectl: Kubectl, namespace: string, file: string, options: readonly string[]): Promise<void> => {
  const command = await ensureKubectl();
  const line = `"$0" exec -i -n "$1" vault-shoppers-0 -c vault -- /usr/local/bin/node /app/main.mjs import ${options.map((o) => `'${o}'`).join(' ')} < "$2"`;
  await run('sh', ['-c', line, command, namespace, file], { env: { ...process.env, KUBECONFIG: kubectl.kubeconfig }, timeoutMs: 300_000 });
};

export const waitForPod = (kubectl: Kubectl, namespace: string, pod: string, timeoutMs = 120_000): Promise<string> =>
  until(`pod ${namespace}/${pod} to run`, timeoutMs, async () => {
    const { stdout } = await kubectl.attempt('get', 'pod', '-n', namespace, pod, '-o', 'jsonpath={.status.containerStatuses[0].started}');
    return stdout === 'true' ? stdout : undefined;
  });

/** What is there now, for a person: printed when a wait was in vain. */
export const diagnose = async (kubeconfig: string): Promise<string> => {
  const kubectl = await ensureKubectl();
  const ask = async (...args: readonly string[]) =>
    (await attempt(kubectl, args, { env: { ...process.env, KUBECONFIG: kubeconfig } })).stdout;
  return [
    await ask('get', 'pods', '-A', '-o', 'wide'),
    await ask('get', 'scp', '-A'),
    (await ask('get', 'events', '-A', '--sort-by=.lastTimestamp')).split('\n').slice(-100).join('\n'),
  ].join('\n');
};

export const openSystem = async (kubeconfig: string, group: Group): Promise<System> => {
  const abort = new AbortController();
  process.once('exit', () => abort.abort());
  const chainUrl = await forward(kubeconfig, SYSTEM, 'scs-devnet', 8080, abort.signal);
  return { kubeconfig, kubectl: await kubectlOf(kubeconfig), group, chainUrl, stop: () => abort.abort() };
};
