/** The system as processes of this machine: three masters and three agents as shipped, the devnet, and this process for Vaults and sidecars. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMasters, type MastersPort } from '@scs/proto';
import { enterpriseIdentity } from '@scs/proto/tls.ts';
import { startInformer, type Informer } from '@scs/operator/kube/informer.ts';
import * as kinds from '@scs/operator/kube/kinds.ts';
import type { Pod } from '@scs/operator/kube/objects.ts';
import { enterprises } from '@scs/protocol/testing/genesis.ts';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { imageSpec } from '../../../images/specs.ts';
import { until } from '../../cluster/api.ts';
import { isAlive, logTail, recorded, startDaemon, stopProcess, type ProcessRecord } from '../../cluster/daemon.ts';
import { bundleProgram } from '../../cluster/images.ts';
import { freePorts } from '../../cluster/ports.ts';
import { step } from '../../cluster/progress.ts';
import { repository } from '../../demo/folders.ts';
import { CounterProcess } from '../../integration/masters/counter-process.ts';
import { startBenchCluster, SYSTEM, type BenchCluster } from './cluster.ts';
import { settleBenchChain } from './chain.ts';
import { Enterprise } from './enterprise.ts';
import { makeBenchGroup, SUBMITTER, type BenchGroup } from './group.ts';

const TASK_LABEL = 'scp.symphony.foundation/task-uid';
const ROLE_LABEL = 'app.kubernetes.io/component';
const READY_MS = 120_000;

export interface BenchSystem extends BenchCluster {
  readonly group: BenchGroup;
  readonly enterprises: readonly Enterprise[];
  /** Everything that works for the system, by name; `harness` is this process. */
  readonly processes: () => readonly { readonly name: string; readonly pid: number }[];
  /** Throws with the log's end when one of ours has died. */
  readonly mustLive: () => void;
}

interface Ports {
  readonly chain: number;
  readonly counters: readonly number[];
  readonly peers: readonly number[];
  readonly public: readonly number[];
  readonly health: readonly number[];
}
const choosePorts = async (): Promise<Ports> => {
  const ports = await freePorts(13);
  return {
    chain: ports[0]!,
    peers: ports.slice(1, 4),
    public: ports.slice(4, 7),
    health: ports.slice(7, 10),
    counters: ports.slice(10, 13),
  };
};
const local = (ports: readonly number[]): string => ports.map((port) => `127.0.0.1:${port}`).join(',');

/** The program of an image, in one file. */
const bundled = async (folder: string, image: string): Promise<string> => {
  const file = join(folder, `${image}.mjs`);
  writeFileSync(file, await bundleProgram(await imageSpec(image)));
  return file;
};
const own = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production' });

const startMaster = (base: BenchCluster, group: BenchGroup, program: string, ports: Ports, index: number): Promise<ProcessRecord> =>
  startDaemon(
    base.plane.folder,
    {
      name: `master-${index}`,
      command: process.execPath,
      args: [program],
      env: {
        ...own(),
        // To look inside: SCS_BENCH_NODE_OPTIONS='--cpu-prof --cpu-prof-dir=...' writes a profile of each master.
        NODE_OPTIONS: process.env['SCS_BENCH_NODE_OPTIONS'] ?? '',
        KUBECONFIG: base.asServiceAccount(SYSTEM, `scs-master-${index}`),
        SCS_MASTER_INDEX: String(index),
        SCS_GENESIS: group.genesisFile,
        SCS_KEYS: group.masterKeys(index),
        SCS_TLS: group.masterKeys(index),
        SCS_DATA: join(base.plane.folder, `data-${index}`),
        SCS_PEERS: local(ports.peers),
        SCS_CHAIN_URL: `http://127.0.0.1:${ports.chain}/v1`,
        SCS_NAMESPACES: SUBMITTER,
        SCS_NAMESPACE: SYSTEM,
        SCS_COUNTER: `127.0.0.1:${ports.counters[index]}`,
        SCS_PEERS_LISTEN: `127.0.0.1:${ports.peers[index]}`,
        SCS_LISTEN: `127.0.0.1:${ports.public[index]}`,
        SCS_HEALTH_LISTEN: `127.0.0.1:${ports.health[index]}`,
        SCS_LOG_LEVEL: process.env['SCS_LOG_LEVEL'] ?? 'warn',
      },
    },
    true,
  );

const startAgent = (base: BenchCluster, group: BenchGroup, program: string, ports: Ports, name: string): Promise<ProcessRecord> =>
  startDaemon(
    base.plane.folder,
    {
      name: `agent-${name}`,
      command: process.execPath,
      args: [program],
      env: {
        ...own(),
        KUBECONFIG: base.asServiceAccount(name, 'scs-agent'),
        SCS_NAMESPACE: name,
        SCS_GENESIS: group.genesisFile,
        SCS_KEYS: group.enterpriseKeys(name),
        SCS_TLS: group.enterpriseKeys(name),
        SCS_MASTERS: local(ports.public),
        SCS_IMAGE_VAULT: 'scs.local/none',
        SCS_IMAGE_SIDECAR: 'scs.local/none',
        SCS_IMAGE_EXECUTOR: 'scs.local/none',
        SCS_HEALTH_PORT: '0',
        SCS_LOG_LEVEL: process.env['SCS_LOG_LEVEL'] ?? 'warn',
      },
    },
    true,
  );

const mastersOf = (group: BenchGroup, ports: Ports, name: string): MastersPort =>
  createMasters({
    addresses: local(ports.public).split(','),
    tls: group.tls(enterpriseIdentity(actorKey(name).address)),
    genesis: group.genesis,
    genesisDigest: group.genesisDigest,
    // The stream is left where it is: nobody lies here, and a change lists all tasks again.
    rotateMs: 3_600_000,
  });

const followPods = (base: BenchCluster, enterprise: Enterprise, signal: AbortSignal): Informer<Pod> =>
  startInformer<Pod>({
    cluster: base.cluster,
    kind: kinds.Pod,
    namespace: enterprise.name,
    labelSelector: 'app.kubernetes.io/name=scs-slice',
    signal,
    onChange: ({ type, object: { metadata, status } }) => {
      const [uid, role] = [metadata.labels?.[TASK_LABEL], metadata.labels?.[ROLE_LABEL]];
      if (type === 'deleted' || status?.phase !== 'Running' || uid === undefined) return;
      if (role === 'slice' || role === 'aggregator') enterprise.podRuns(uid, role);
    },
  });

/** Starts everything anew; `escrow` in SYM. */
export const startBenchSystem = async (escrow: string): Promise<BenchSystem> => {
  const ports = await choosePorts();
  const keys = mkdtempSync(join(tmpdir(), 'scs-bench-'));
  const removeKeys = (): void => rmSync(keys, { recursive: true, force: true });
  process.once('exit', removeKeys);
  const group = await step('group: keys, TLS certificates, genesis', () => makeBenchGroup(keys));
  const base = await step('etcd, API server, controllers, scheduler, kwok; CRDs, rights and admission policies of the charts', () =>
    startBenchCluster(group),
  );
  const { folder } = base.plane;
  const stopping = new AbortController();
  const clients: MastersPort[] = [];
  const ours: ProcessRecord[] = [];
  const counters: CounterProcess[] = [];
  const stop = async (): Promise<void> => {
    stopping.abort();
    for (const client of clients) client.close();
    for (const record of ours.toReversed()) await stopProcess(folder, record, 3_000);
    for (const counter of counters) await counter.kill();
    await base.stop();
    removeKeys();
    process.off('exit', removeKeys);
  };
  const mustLive = (): void => {
    for (const record of ours) if (!isAlive(record)) throw new Error(`${record.name} ended:\n${logTail(folder, record.name)}`);
  };
  try {
    await step('devnet: contracts, escrow', async () => {
      const args = [
        'contracts/devnet/main.ts',
        '--listen',
        `127.0.0.1:${ports.chain}`,
        '--data',
        join(folder, 'devnet'),
        '--chain-id',
        '4',
      ];
      const command = { name: 'devnet', command: process.execPath, args: [join(repository, args[0]!), ...args.slice(1)], env: own() };
      ours.push(await startDaemon(folder, command, true));
      await settleBenchChain(`http://127.0.0.1:${ports.chain}`, group, escrow);
    });
    await step('three masters and their counters', async () => {
      for (const i of [0, 1, 2]) counters.push(await CounterProcess.make(folder, group.genesis, i, ports.counters[i]!));
      for (const counter of counters) counter.start();
      const program = await bundled(folder, 'scs-master');
      for (const i of [0, 1, 2]) ours.push(await startMaster(base, group, program, ports, i));
      const ready = async (port: number): Promise<true | undefined> => {
        mustLive();
        return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok ? true : undefined;
      };
      for (const port of ports.health) await until('a master to be ready', () => ready(port), { timeoutMs: READY_MS, everyMs: 200 });
    });
    const players = enterprises.map((name) => {
      const client = mastersOf(group, ports, name);
      clients.push(client);
      return new Enterprise(name, client, group.genesisDigest);
    });
    await step('three agents; Vaults register', async () => {
      const program = await bundled(folder, 'scs-agent');
      for (const name of enterprises) ours.push(await startAgent(base, group, program, ports, name));
      for (const player of players) {
        await player.register();
        void player.follow();
        await followPods(base, player, stopping.signal).hasSynced();
      }
    });
    stopping.signal.addEventListener('abort', () => players.forEach((player) => player.stop()));
    return {
      ...base,
      group,
      enterprises: players,
      mustLive,
      processes: () => [{ name: 'harness', pid: process.pid }, ...recorded(folder)],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
};
