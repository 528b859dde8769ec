/**
 * Three masters in one process, on a network, clocks and disks that a seed drives: they crash at any write, restart, lose and
 * repeat messages, hold the Lease two at a time, and one may lie. The code under test is the real one.
 */
import { publicKeyOf, type Committee } from '@scs/protocol';
import { fakeClock, type Clock, type FakeClock } from '../../../kube/clock.ts';
import { silentLogger } from './silent-logger.ts';
import type { Disk } from '../disk.ts';
import { LeaseLog, type StartLeadership } from '../lease-log.ts';
import type { Candidates, Testimony } from '../log.ts';
import { openDisk } from '../sqlite-disk.ts';
import { pick, seeded } from './random.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { nameOf, toyRules } from './toy-rules.ts';

export const simulatedGenesis = 'ab'.repeat(32);
export const seeds = ['01', '02', '03'].map((b) => b.repeat(32));
export const committee: Committee = { generation: 0n, keys: seeds.map(publicKeyOf) };
export const genesisTime = Date.UTC(2030, 0, 1);

const noCandidates: Candidates = { take: () => [], refused: () => {} };

interface Running {
  readonly log: LeaseLog;
  readonly lease: SimulatedLease;
  kill(): void;
}

/** A Lease that the scheduler gives and takes, to more than one at a time if it likes. */
class SimulatedLease {
  term: AbortController | undefined;
  wanted = false;
  #onStarted: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly #holders: () => number | undefined;
  readonly #index: number;
  constructor(index: number, holders: () => number | undefined) {
    this.#index = index;
    this.#holders = holders;
  }
  readonly start: StartLeadership = ({ onStarted }) => {
    this.wanted = true;
    this.#onStarted = onStarted;
    return {
      isHolder: () => this.term !== undefined,
      holder: () => (this.term ? `master-${this.#index}/x` : `master-${this.#holders() ?? 0}/x`),
      stop: async () => {
        this.wanted = false;
        this.take();
      },
    };
  };
  give(): void {
    if (!this.wanted || this.term) return;
    this.term = new AbortController();
    this.#onStarted?.(this.term.signal).catch(() => this.take()); // as the real one does
  }
  take(): void {
    this.term?.abort();
    this.term = undefined;
  }
}

export class SimulatedMasters {
  readonly random: () => number;
  readonly clock: FakeClock = fakeClock(genesisTime);
  readonly network: SimulatedNetwork;
  readonly decided = new Map<bigint, string>();
  readonly heights = [0n, 0n, 0n];
  readonly conflicts: string[] = [];
  readonly #disks: Disk[];
  readonly #running: (Running | undefined)[] = [undefined, undefined, undefined];
  /** Writes until the next crash, by master. */
  readonly #fuse = [Infinity, Infinity, Infinity];
  /** What each master's own reading of the world says. */
  testify: (index: number, names: readonly string[]) => Testimony;

  constructor(seed: number, file = ':memory:') {
    this.random = seeded(seed);
    this.network = new SimulatedNetwork(this.random);
    this.#disks = [0, 1, 2].map((master) => openDisk({ file, genesis: simulatedGenesis, master }));
    this.testify = (_index, names) =>
      names.some((n) => n.startsWith('lie')) ? { kind: 'refused', code: 'Untrue', message: 'not so', command: 0 } : { kind: 'fits' };
  }

  log(index: number): LeaseLog | undefined {
    return this.#running[index]?.log;
  }
  running(): number[] {
    return [0, 1, 2].filter((i) => this.#running[i]);
  }

  start(index: number): void {
    if (this.#running[index]) return;
    let alive = true;
    const isAlive = (): boolean => alive;
    const dies = (): void => {
      alive = false;
      this.network.detach(index);
      this.#running[index]?.lease.take();
      this.#running[index] = undefined;
    };
    const clock = this.#clockOf(isAlive);
    const lease = new SimulatedLease(index, () => [0, 1, 2].find((i) => this.#running[i]?.lease.term));
    const log = new LeaseLog({
      disk: this.#fused(index, isAlive, dies),
      rules: toyRules,
      genesis: simulatedGenesis,
      genesisTime,
      committee,
      index,
      seed: seeds[index]!,
      peers: [0, 1, 2].filter((p) => p !== index).map((to) => this.network.peer(index, to, 0.05, isAlive)),
      witness: {
        check: async (block) => this.testify(index, block.commands.map(nameOf)),
      },
      candidates: noCandidates,
      startLeadership: lease.start,
      restMs: 500,
      clockBoundMs: 5_000,
      instance: 'x',
      clock,
      random: this.random,
      logger: silentLogger,
    });
    log.onDecided(({ block, certificate }) => {
      const known = this.decided.get(block.height);
      if (known !== undefined && known !== certificate.head.block)
        this.conflicts.push(`height ${block.height}: ${known} and ${certificate.head.block}`);
      this.decided.set(block.height, certificate.head.block);
      this.heights[index] = block.height;
    });
    this.network.attach(index, log.handlers());
    this.#running[index] = { log, lease, kill: dies };
    log.start();
  }
  /** The volume is gone; the next start finds an empty one. */
  loseDisk(index: number): void {
    this.crash(index);
    this.#disks[index]!.close();
    this.#disks[index] = openDisk({ file: ':memory:', genesis: simulatedGenesis, master: index });
  }
  crash(index: number): void {
    this.#running[index]?.kill();
  }
  crashAtWrite(index: number, writes: number): void {
    this.#fuse[index] = writes;
  }
  disarm(): void {
    this.#fuse.fill(Infinity);
  }
  giveLease(index: number): void {
    this.#running[index]?.lease.give();
  }
  takeLease(index: number): void {
    this.#running[index]?.lease.take();
  }
  /** An honest Lease: one holder at most, somebody who wants it. */
  settleLease(): void {
    const wanting = this.running().filter((i) => this.#running[i]?.lease.wanted);
    if (wanting.some((i) => this.#running[i]?.lease.term)) return;
    const next = pick(wanting, this.random);
    if (next !== undefined) this.giveLease(next);
  }

  /** One happening: a message or a bit of time. */
  async step(lossRate: number): Promise<void> {
    if (this.random() < 0.25 || !this.network.step(lossRate)) this.clock.advance(1 + Math.floor(this.random() * 150));
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    for (const i of this.running()) this.crash(i);
    for (const disk of this.#disks) disk.close();
  }

  /** Its sleepers never wake once the process is dead. */
  #clockOf(alive: () => boolean): Clock {
    return {
      now: () => this.clock.now(),
      monotonic: () => this.clock.monotonic(),
      sleep: async (ms, signal) => {
        await this.clock.sleep(ms, signal);
        if (!alive()) await new Promise(() => {});
      },
    };
  }

  /** The disk, until the fuse burns down: then the process is dead before the write, or after it. */
  #fused(index: number, alive: () => boolean, dies: () => void): Disk {
    const write = (work: () => void): void => {
      if (!alive()) throw new Error('dead');
      const left = this.#fuse[index]! - 1;
      this.#fuse[index] = left;
      if (left > 0) return work();
      this.#fuse[index] = Infinity;
      if (this.random() < 0.5) work();
      dies();
      throw new Error('dead');
    };
    const disk = this.#disks[index]!;
    return new Proxy(disk, {
      get: (target, name) => {
        if (name === 'append') return (...args: Parameters<Disk['append']>) => write(() => target.append(...args));
        if (name === 'storeVote') return (...args: Parameters<Disk['storeVote']>) => write(() => target.storeVote(...args));
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }
}
