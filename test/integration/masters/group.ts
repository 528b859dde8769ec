/** Three masters in this process against a real API server: real gRPC with mutual TLS, a simulated chain, fast windows. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { grpcClient, Masters, Peers } from '@scs/proto';
import { authoritiesOf, clientCredentials, counterAuthorities, enterpriseIdentity, masterIdentity } from '@scs/proto/tls.ts';
import { createMasters } from '@scs/proto/masters-client.ts';
import { committeeOf, encodeGenesis, genesisDigest, parseSym, succeeded, successionOf, type Genesis, type Succession } from '@scs/protocol';
import { customResourceDefinition } from '@scs/protocol/resources/crd.ts';
import { definitions } from '@scs/protocol/resources/definitions.ts';
import { aGenesis, aPolicy, enterprises } from '@scs/protocol/testing/genesis.ts';
import { actorKey, masterKey } from '@scs/protocol/testing/keys.ts';
import { type Cluster, createCluster } from '@scs/operator/kube/client.ts';
import { realClock } from '@scs/operator/kube/clock.ts';
import { createRegistry } from '@scs/operator/kube/health.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { agreementStore } from '@scs/operator/master/consensus/runtime/agreement-store.ts';
import { connectCounter } from '@scs/operator/master/consensus/runtime/grpc-counter.ts';
import { Archive } from '@scs/operator/master/log/archive/archive.ts';
import { folderStore } from '@scs/operator/master/log/archive/archive-store.ts';
import { openMasterFile } from '@scs/operator/master/log/sqlite-disk.ts';
import { silentLogger } from '@scs/operator/master/log/testing/silent-logger.ts';
import { type Master, startMaster } from '@scs/operator/master/master.ts';
import { simulatedChain, type SimulatedChain } from '@scs/operator/master/settlement/simulated-chain.ts';
import { type ControlPlane, startControlPlane } from '../../cluster/control-plane.ts';
import { freePorts } from '../../cluster/ports.ts';
import { CounterProcess, counterMeasurement } from './counter-process.ts';
import { stampPolicies } from './policies.ts';

const YEARS = 1;
const CLOCK_BOUND_MS = 500;

/** Windows are at least twenty times the clock bound (T5). A block that comes late costs a view: room for a busy machine. */
const fastPolicy = (clockBoundMs: number, epochMs: number): Genesis['policy'] => {
  const policy = aPolicy();
  const measurements = [...policy.enclave.measurements, counterMeasurement()];
  return {
    ...policy,
    epoch: { lengthMs: epochMs },
    enclave: { ...policy.enclave, measurements },
    windows: { ...policy.windows, challengeMs: 20 * clockBoundMs, clockBoundMs },
    settlement: { ...policy.settlement, maxDelayMs: 3_000 },
  };
};

/** A genesis with real TLS authorities, and a certificate for everybody in it. */
const makeGenesis = async (
  now: number,
  clockBoundMs: number,
  epochMs: number,
): Promise<{ genesis: Genesis; tls: Map<string, TlsIdentity> }> => {
  const notBefore = new Date(now - 60_000);
  const base = aGenesis({ time: now - 1_000, policy: fastPolicy(clockBoundMs, epochMs) });
  const authorities = new Map<string, string>();
  const tls = new Map<string, TlsIdentity>();
  const certify = async (identity: string, seed: string): Promise<void> => {
    const authority = await createAuthority(seed, identity, notBefore, YEARS);
    authorities.set(identity, authority.certificatePem);
    tls.set(identity, await issue(authority, seed, identity, notBefore, YEARS));
  };
  await Promise.all([0, 1, 2].map((i) => certify(masterIdentity(i), masterKey(i).seed)));
  await Promise.all(enterprises.map((name) => certify(enterpriseIdentity(actorKey(name).address), actorKey(name).seed)));
  const genesis: Genesis = {
    ...base,
    masters: base.masters.map((m, i) => ({ ...m, tlsAuthority: authorities.get(masterIdentity(i))! })),
    actors: base.actors.map((a) =>
      a.enterprise ? { ...a, enterprise: { ...a.enterprise, tlsAuthority: authorities.get(enterpriseIdentity(a.address))! } } : a,
    ),
  };
  return { genesis, tls };
};

export class Group {
  readonly plane: ControlPlane;
  /** As of today: masters that start from then on have it. */
  genesis: Genesis;
  readonly genesisDigest: string;
  readonly chain: SimulatedChain;
  /** As an administrator. */
  readonly admin: Cluster;
  readonly masters: (Master | undefined)[] = [undefined, undefined, undefined];
  counters: readonly CounterProcess[] = [];
  /** Number of each master's durable key. */
  readonly #keys = [0, 1, 2];
  readonly #tls: Map<string, TlsIdentity>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'scs-masters-'));
  readonly #peerPorts: readonly number[];
  readonly #publicPorts: readonly number[];

  private constructor(plane: ControlPlane, genesis: Genesis, tls: Map<string, TlsIdentity>, ports: readonly number[]) {
    this.plane = plane;
    this.genesis = genesis;
    this.genesisDigest = genesisDigest(genesis);
    this.#tls = tls;
    this.#peerPorts = ports.slice(0, 3);
    this.#publicPorts = ports.slice(3, 6);
    this.admin = this.clusterAs(plane.kubeconfig, 'scs-admin');
    const committee = { generation: 0n, keys: genesis.masters.map((m) => m.publicKey) };
    this.chain = simulatedChain({ genesis: this.genesisDigest, committee, startMs: BigInt(genesis.time) });
    this.chain.deposit(actorKey('roastery').address, parseSym('100'));
  }

  /** With trusted counters in processes of their own. */
  static async start(name: string, epochMs = 3_600_000): Promise<Group> {
    const [plane, ports] = await Promise.all([startControlPlane({ name }), freePorts(9)]);
    const { genesis, tls } = await makeGenesis(Date.now(), CLOCK_BOUND_MS, epochMs);
    const group = new Group(plane, genesis, tls, ports);
    group.counters = await Promise.all([0, 1, 2].map((i) => CounterProcess.make(group.#folder, genesis, i, ports[6 + i]!)));
    for (const counter of group.counters) counter.start();
    for (const definition of definitions) await group.admin.apply(customResourceDefinition(definition) as KubeObject);
    for (const namespace of ['scs-system', 'roastery'])
      await group.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    await group.untilServed();
    for (const { object, kind } of stampPolicies) await group.admin.apply(object, { kind });
    return group;
  }

  /** CRDs take a moment to be served. */
  private async untilServed(): Promise<void> {
    for (const { plural } of definitions) {
      const path = { group: 'scp.symphony.foundation', version: 'v1alpha1', plural, kind: 'X', namespaced: false };
      await until(`${plural} are served`, async () => {
        await this.admin.list(path);
        return true;
      });
    }
  }

  clusterAs(kubeconfig: string, fieldManager: string): Cluster {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return createCluster(config, { fieldManager });
  }

  async startMaster(index: number): Promise<Master> {
    const { disk, file } = openMasterFile({ file: this.fileOf(index), genesis: this.genesisDigest, master: index });
    const tls = this.#tls.get(masterIdentity(index))!;
    const counter = this.counters[index]!;
    const master = await startMaster({
      genesis: this.genesis,
      genesisDigest: this.genesisDigest,
      index,
      seed: masterKey(this.#keys[index]!).seed,
      tls,
      disk,
      agreement: {
        store: agreementStore(file, disk),
        counter: connectCounter(index, counter.address, tls, counterAuthorities(this.genesis, index)),
      },
      archive: new Archive({
        file,
        disk,
        store: folderStore(`${this.fileOf(index)}.archive`),
        genesis: this.genesisDigest,
        committee: committeeOf(this.genesis),
      }),
      liveBlocks: 8_192,
      cluster: this.clusterAs(this.plane.kubeconfig, 'scs-master'),
      chain: this.chain,
      namespaces: ['roastery'],
      namespace: 'scs-system',
      peers: this.#peerPorts.map((port) => `127.0.0.1:${port}`),
      listen: { peers: `127.0.0.1:${this.#peerPorts[index]}`, public: `127.0.0.1:${this.#publicPorts[index]}` },
      instance: `test-${index}-${Date.now()}`,
      clock: realClock,
      logger: process.env['SCS_TEST_LOG'] ? consoleLogger(index) : silentLogger,
      registry: createRegistry(),
      followMs: 1_000,
    });
    this.masters[index] = master;
    return master;
  }
  /** PEM of the authority of that key, for the seat of master `index`. */
  async authorityOf(key: number, index: number): Promise<string> {
    return (await createAuthority(masterKey(key).seed, masterIdentity(index), new Date(this.genesis.time), YEARS)).certificatePem;
  }
  /** A machine with another durable key, an empty disk and a counter of its own takes the seat, by a file with these links; the old one is gone. */
  async handOver(links: Succession, index: number, key: number): Promise<void> {
    this.genesis = succeeded(successionOf(this.genesis).first, links);
    this.#keys[index] = key;
    const { seed } = masterKey(key);
    const identity = masterIdentity(index);
    const from = new Date(this.genesis.time);
    this.#tls.set(identity, await issue(await createAuthority(seed, identity, from, YEARS), seed, identity, from, YEARS));
    for (const file of readdirSync(this.#folder)) if (file.startsWith(`${index}.db`)) rmSync(join(this.#folder, file), { recursive: true });
    await this.counters[index]?.kill();
    const [port] = await freePorts(1);
    const counter = await CounterProcess.make(this.#folder, this.genesis, index, port!, key);
    this.counters = this.counters.with(index, counter);
    counter.start();
  }
  /** For a master as a process of its own: what the chart would set and mount. There is no chain. */
  environmentOf(index: number): Readonly<Record<string, string>> {
    const folder = join(this.#folder, `process-${index}`);
    const tls = this.#tls.get(masterIdentity(index))!;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(this.genesis));
    for (const key of ['durable.key', 'gas.key']) writeFileSync(join(folder, key), masterKey(index).seed);
    writeFileSync(join(folder, 'tls.crt'), tls.certificatePem);
    writeFileSync(join(folder, 'tls.key'), tls.keyPem);
    return {
      KUBECONFIG: this.plane.kubeconfig,
      SCS_MASTER_INDEX: String(index),
      SCS_GENESIS: join(folder, 'genesis.bin'),
      SCS_KEYS: folder,
      SCS_TLS: folder,
      SCS_DATA: join(folder, 'data'),
      SCS_PEERS: this.#peerPorts.map((port) => `127.0.0.1:${port}`).join(','),
      SCS_CHAIN_URL: 'http://127.0.0.1:9',
      SCS_NAMESPACES: 'roastery',
      SCS_NAMESPACE: 'scs-system',
      SCS_COUNTER: this.counters[index]?.address ?? '',
      SCS_PEERS_LISTEN: `127.0.0.1:${this.#peerPorts[index]}`,
      SCS_LISTEN: `127.0.0.1:${this.#publicPorts[index]}`,
      SCS_HEALTH_LISTEN: '127.0.0.1:0',
    };
  }
  fileOf(index: number): string {
    return join(this.#folder, `${index}.db`);
  }
  async stopMaster(index: number): Promise<void> {
    await this.masters[index]?.stop();
    this.masters[index] = undefined;
  }
  holder(): number | undefined {
    const index = this.masters.findIndex((m) => m?.log.isPrimary());
    return index < 0 ? undefined : index;
  }
  /** The masters as a process of that enterprise sees them. */
  mastersFor(enterprise: string) {
    return createMasters({
      addresses: this.#publicPorts.map((port) => `127.0.0.1:${port}`),
      tls: this.#tls.get(enterpriseIdentity(actorKey(enterprise).address))!,
      genesis: this.genesis,
      genesisDigest: this.genesisDigest,
      rotateMs: 5_000,
    });
  }

  /** One master's two services, with this enterprise's certificate; or with one that nobody registered. */
  clientsOf(enterprise: string, index: number, tls = this.#tls.get(enterpriseIdentity(actorKey(enterprise).address))!) {
    const credentials = clientCredentials(tls, authoritiesOf(this.genesis), masterIdentity(index));
    return {
      public: grpcClient(Masters, `127.0.0.1:${this.#publicPorts[index]}`, credentials),
      peers: grpcClient(Peers, `127.0.0.1:${this.#peerPorts[index]}`, credentials),
    };
  }

  async stop(): Promise<void> {
    await Promise.all([0, 1, 2].map((i) => this.stopMaster(i)));
    await Promise.all(this.counters.map((c) => c.kill()));
    await this.plane.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const consoleLogger = (index: number) => {
  const line = (level: string) => (fields: object, message: string) => console.log(`${level} m${index}`, message, JSON.stringify(fields));
  return { info: line('info'), warn: line('warn'), error: line('error') };
};

/** Asks until there is an answer; errors count as none. Throws after the time with the last error. */
export const until = async <T>(what: string, ask: () => Promise<T | undefined> | T | undefined, timeoutMs = 30_000): Promise<T> => {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    await realClock.sleep(50);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last });
};
