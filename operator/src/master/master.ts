/** One master, put together: log, witness, proposer, projection, settlement and the two services. */
import { committeeOf, decodeBlock, type Genesis } from '@scs/protocol';
import { Masters, Peers } from '@scs/proto';
import { authoritiesOf, masterIdentity, serverCredentials, type TlsFiles } from '@scs/proto/tls.ts';
import type { Registry } from 'prom-client';
import type { Clock } from '../kube/clock.ts';
import type { Cluster } from '../kube/client.ts';
import { createEventRecorder } from '../kube/events.ts';
import type { Health } from '../kube/health.ts';
import type { Logger } from '../kube/logger.ts';
import { informerMetrics, queueMetrics } from '../kube/metrics.ts';
import { AdmissionProbe } from './admission-probe.ts';
import { keepAnnounced } from './announce-version.ts';
import { Blobs } from './api/blobs.ts';
import { connectPeer, peersService } from './api/peers.ts';
import { rateLimit } from './api/rate-limit.ts';
import { serve, type CallContext, type Serving } from './api/serve.ts';
import { mastersService } from './api/server.ts';
import { TaskStreams } from './api/task-streams.ts';
import type { AgreementStore } from './consensus/runtime/agreement-store.ts';
import type { CounterPort } from './consensus/runtime/counter-port.ts';
import { PeerStreams } from './consensus/runtime/grpc-link.ts';
import { agreementMetrics } from './consensus/runtime/metrics.ts';
import { MinbftLog } from './consensus/runtime/minbft-log.ts';
import { PeerLink } from './consensus/runtime/peer-link.ts';
import type { Archive } from './log/archive/archive.ts';
import { Archivist } from './log/archive/archivist.ts';
import { linksOf, replacementsOf } from './links.ts';
import type { Disk } from './log/disk.ts';
import { Duties } from './duties.ts';
import type { DeferredWrites } from './log/waiting-writes.ts';
import { archiveMetrics, masterMetrics } from './metrics.ts';
import { Projector } from './projection/projector.ts';
import { Proposer } from './proposer.ts';
import { rulesOf } from './rules.ts';
import { ChainReader } from './settlement/chain-reader.ts';
import type { Chain } from './settlement/chain.ts';
import { chainAway, isFresh } from './settlement/chain-away.ts';
import { SettlementEffects } from './settlement/effects.ts';
import { equivocationIn } from './settlement/equivocations.ts';
import { GasWatch } from './settlement/gas-watch.ts';
import { TaskIndex } from './task-index.ts';
import { TaskObjects } from './task-objects.ts';
import { createWitness } from './witness.ts';

export interface MasterOptions {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly tls: TlsFiles;
  readonly disk: Disk & DeferredWrites;
  /** What the agreement keeps beside the disk, and this master's counter. */
  readonly agreement: { readonly store: AgreementStore; readonly counter: CounterPort };
  readonly archive: Archive;
  /** Blocks that stay out of the archive, at least. */
  readonly liveBlocks: number;
  readonly cluster: Cluster;
  readonly chain: Chain;
  /** Submitters' namespaces; the own one. */
  readonly namespaces: readonly string[];
  readonly namespace: string;
  /** `host:port` of the peers service of each master, in index order. */
  readonly peers: readonly string[];
  readonly listen: { readonly peers: string; readonly public: string };
  /** Tells this process from the one before it. */
  readonly instance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** How long a master that doesn't propose waits before it looks at a projection. */
  readonly followMs?: number;
}
export interface Master {
  readonly log: MinbftLog;
  readonly publicPort: number;
  /** Adds what must move and what must be so to the health endpoints. */
  reportTo(health: Health): void;
  /** Ends calls, closes the disk. */
  stop(): Promise<void>;
}

const EVERY_MINUTE = 60_000;
const STUCK_MS = 120_000;
/** Of the age at which a reading of the chain admits nothing more; the primary makes a new one at half of it. */
const LATE_READING = 0.75;
/** Calls a second of one enterprise, all its processes together; of one master. */
const RATE = { enterprises: { perSecond: 1_000, burst: 4_000 }, masters: { perSecond: 5_000, burst: 10_000 } } as const;

const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Starts a master. Rejects when a port is taken or the disk isn't ours. */
export const startMaster = async (o: MasterOptions): Promise<Master> => {
  const { genesis, genesisDigest, index, cluster, chain, clock, logger, disk, registry } = o;
  const stopping = new AbortController();
  const committee = committeeOf(genesis);
  const rules = rulesOf(genesis, genesisDigest);
  const authorities = authoritiesOf(genesis);
  const others = [0, 1, 2].filter((i) => i !== index).map((i) => connectPeer(i, o.peers[i]!, o.tls, authorities));
  const probe = new AdmissionProbe(cluster, o.namespaces, clock, logger);

  const proposer: Proposer = new Proposer({
    maxEscrowAgeMs: genesis.policy.settlement.maxEscrowAgeMs,
    state: () => log.state(),
    tasks: () => objects,
    reader: () => reader,
    mayAdmit: () => synced && probe.notAdmitting() === undefined,
    wake: () => log.wake(),
    clock,
    logger,
  });
  const accounts = genesis.actors.filter((a) => a.role !== 'producer').map((a) => a.address);
  const witness = createWitness({
    genesis,
    tasks: { byUid: (uid) => objects.byUid(uid), read: (ns, name) => objects.read(ns, name), listed: (ns) => objects.listed(ns) },
    chain,
    accounts,
    mayAdmit: () => probe.notAdmitting() === undefined,
    hasBlob: async (task, name) => (await blobs.find(task, name)) !== undefined,
    rules,
    height: () => log.height(),
    blockAt: (height) => (height === 0n ? genesisDigest : disk.block(height)?.certificate.head.block),
    pending: () => log.pending(),
  });
  const links = new Map(others.map((peer) => [peer.index, new PeerLink({ open: () => peer.channel(), clock, random: Math.random })]));
  const log = new MinbftLog({
    ...o.agreement,
    genesis,
    genesisDigest,
    index,
    seed: o.seed,
    rules,
    disk,
    links,
    witness,
    candidates: proposer,
    clock,
    random: Math.random,
    logger,
    onPrimary: () => projector.lookAtAll(),
    onRound: (ms, commands) => metrics.round(ms, commands),
  });
  const tasks = new TaskIndex(log);
  const blobs = new Blobs(disk, tasks, others, logger);
  const streams = new TaskStreams(log, tasks, clock);
  const reader = new ChainReader({
    chain,
    genesis,
    accounts,
    state: () => log.state(),
    // a primary that doesn't read leaves paid tasks waiting: then the others put a reading forward, too
    active: () => log.isPrimary() || !isFresh(log.state(), clock.now(), genesis.policy.settlement.maxEscrowAgeMs * LATE_READING),
    maxAgeMs: genesis.policy.settlement.maxEscrowAgeMs,
    clock,
    logger,
    onReading: () => log.wake(),
  });
  const duties = new Duties({
    view: () => log.agreement().view,
    clock,
    onNeglected: (view, what) => {
      logger.warn({ view, what }, 'the primary leaves undone what was decided; another is asked for');
      log.neglected(view);
    },
  });
  const effects = new SettlementEffects({
    onNeglected: (what) => duties.landed(what),
    chain,
    log,
    clock,
    logger,
    offences: () => disk.offenceProofs(16).flatMap((stored) => equivocationIn(stored, genesisDigest, committee) ?? []),
    replacements: replacementsOf(genesis),
    onLanded: () => reader.request(),
    onFault: (code) => metrics.chainFault(code),
  });
  const metrics = masterMetrics(registry, {
    log,
    tasks,
    streams: () => streams.count(),
    offences: () => disk.offences(),
    chainReadAt: () => reader.lastReadAt(),
    gas: () => gas.balance(),
    settlementStuck: () => effects.stuck() !== undefined,
    waiting: () => proposer.waiting(),
  });
  const archivist = new Archivist({
    archive: o.archive,
    peers: others,
    upTo: () => lower(log.floor(), log.height() - BigInt(o.liveBlocks)),
    height: () => log.height(),
    clock,
    logger,
  });
  agreementMetrics(registry, { log, links });
  archiveMetrics(registry, o.archive, archivist);
  const events = createEventRecorder({
    cluster,
    controller: 'scp.symphony.foundation/master',
    instance: o.instance,
    perSecond: 50,
    burst: 500,
    clock,
    logger,
    signal: stopping.signal,
  });
  const gas = new GasWatch({
    chain,
    clock,
    logger,
    onLow: ({ reason, message }) =>
      events.record({
        regarding: {
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: { namespace: o.namespace, name: `scs-master-${index}` },
        },
        type: 'Warning',
        reason,
        action: 'Settle',
        note: `Master ${index}: ${message}`,
      }),
  });
  const projector: Projector = new Projector({
    onRepaired: (what) => duties.repaired(what),
    cluster,
    log,
    tasks: () => objects,
    blobs,
    blockAt: async (height) => {
      const stored = await o.archive.block(height);
      return stored && decodeBlock(stored.bytes);
    },
    events,
    genesis,
    genesisDigest,
    committee,
    clock,
    logger,
    notAdmitting: () => probe.notAdmitting() ?? chainAway(log.state(), clock.now(), genesis.policy.settlement.maxEscrowAgeMs),
    observer: queueMetrics(registry, 'projection'),
    ...(o.followMs !== undefined && { followMs: o.followMs }),
  });
  const objects: TaskObjects = new TaskObjects({
    cluster,
    namespaces: o.namespaces,
    clock,
    logger,
    observer: informerMetrics(registry, 'Task'),
    onChange: (change) => {
      proposer.changed(change);
      projector.taskChanged(change);
    },
  });
  let synced = false;
  const sync = async (): Promise<void> => {
    try {
      await objects.hasSynced();
    } catch {
      return; // stopped before
    }
    synced = true;
    log.wake();
  };

  log.onDecided(({ block }) => {
    if (block.commands.some((c) => c.type === 'chain.observed')) reader.drop();
  });

  /** What no event tells: tasks whose objects went while nobody watched, blobs whose tasks are over. */
  const sweep = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (synced) {
        for (const uid of tasks.unfinished()) if (!objects.byUid(uid)) await proposer.checkGone(uid);
        blobs.collect((uid) => objects.byUid(uid) !== undefined);
      }
      await clock.sleep(synced ? EVERY_MINUTE : 500, stopping.signal);
    }
  };

  const context = (rate: { perSecond: number; burst: number }, admits: (identity: string) => boolean): CallContext => ({
    authorities,
    admits,
    withinRate: rateLimit(rate, clock),
    logger,
  });
  const isPeer = (identity: string): boolean => [0, 1, 2].some((i) => i !== index && identity === masterIdentity(i));
  const credentials = serverCredentials(o.tls, authorities);
  const api = { log, tasks, blobs, streams, index, genesis: genesisDigest, links: () => linksOf(genesis, log) };
  const servers: Serving[] = [];
  servers.push(
    await serve(o.listen.peers, credentials, [
      {
        service: Peers,
        methods: peersService({ blobs, archive: o.archive, agreement: new PeerStreams(log) }, context(RATE.masters, isPeer)),
      },
    ]),
  );
  servers.push(
    await serve(o.listen.public, credentials, [
      {
        service: Masters,
        methods: mastersService(
          api,
          context(RATE.enterprises, () => true),
        ),
      },
    ]),
  );
  log.start();
  projector.start();
  const loops = Promise.all([
    sync(),
    sweep(),
    probe.run(stopping.signal),
    archivist.run(stopping.signal),
    reader.run(stopping.signal),
    effects.run(stopping.signal),
    gas.run(stopping.signal),
    keepAnnounced(
      { genesisDigest, index, seed: o.seed, state: () => log.state(), propose: (command) => log.propose(command), clock, logger },
      stopping.signal,
    ),
  ]);

  return {
    log,
    publicPort: servers[1]!.port,
    reportTo: (health) => {
      health.watchLoop({ name: 'log', lastProgressAt: () => log.lastProgressAt(), maxAgeMs: STUCK_MS });
      health.watchLoop({ name: 'projection', lastProgressAt: () => projector.lastProgressAt(), maxAgeMs: STUCK_MS });
      health.watchLoop({ name: 'chain-reader', lastProgressAt: () => reader.lastTurnAt(), maxAgeMs: STUCK_MS });
      health.watchLoop({ name: 'settlement', lastProgressAt: () => effects.lastTurnAt(), maxAgeMs: STUCK_MS });
      health.require({ name: 'tasks-listed', ready: () => synced });
      health.require({ name: 'log-going-on', ready: () => log.halted() === undefined });
      health.require({ name: 'agreement', ready: () => log.condition() === undefined });
      health.require({ name: 'admission-policy', ready: () => probe.notAdmitting() === undefined });
    },
    stop: async () => {
      stopping.abort();
      await log.stop();
      await Promise.all(servers.map((s) => s.stop()));
      await Promise.all([projector.stop(), objects.stop(), loops]);
      await events.flush();
      for (const peer of others) peer.close();
      o.agreement.counter.close();
      disk.close();
    },
  };
};
