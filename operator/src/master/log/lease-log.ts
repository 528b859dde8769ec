/**
 * The interim Log: the holder of a Kubernetes Lease makes the blocks, the others check and co-sign. What it tolerates and
 * what not: `voting.ts`. The Lease only keeps makers from getting into each other's way; agreement does not rest on it.
 */
import type { Command } from '@scs/protocol';
import { backoffMs } from '../../kube/backoff.ts';
import { type Clock, realClock } from '../../kube/clock.ts';
import { type Logger, defaultLogger, errorFields } from '../../kube/logger.ts';
import { CatchUp } from './catch-up.ts';
import { CoSigner } from './co-signer.ts';
import type { Candidates, Decision, Log, Witness } from './log.ts';
import type { Peer, PeerHandlers } from './peers.ts';
import { Pool } from './pool.ts';
import { Proposing } from './proposing.ts';
import type { ReplicaError, ReplicaOptions } from './replica.ts';
import { ReplicaLog } from './replica-log.ts';
import { barAfterBlank } from './voting.ts';

/** Leadership as the log needs it; `runLease` fits. */
export interface Leadership {
  isHolder(): boolean;
  holder(): string | undefined;
  stop(): Promise<void>;
}
export type StartLeadership = (hooks: {
  readonly identity: string;
  readonly onStarted: (signal: AbortSignal) => Promise<void>;
  readonly onStopped: () => void;
}) => Leadership;

export interface LeaseLogOptions extends Omit<ReplicaOptions, 'logger'> {
  readonly peers: readonly Peer[];
  readonly witness: Witness;
  readonly candidates: Candidates;
  readonly startLeadership: StartLeadership;
  /** How long a master that resigned stays out, milliseconds. */
  readonly restMs: number;
  /** T5's bound, milliseconds. */
  readonly clockBoundMs: number;
  /** Tells this process from the one before it. */
  readonly instance: string;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly logger?: Logger;
  readonly onRound?: (ms: number, commands: number) => void;
}

/** An idle master asks a peer for blocks this often, in case it missed a decision. */
const SYNC_EVERY_MS = 2_500;
const retry = { baseMs: 100, capMs: 2_000 };
const worthAnotherTry = new Set(['Busy', 'NoLeader', 'TimedOut', 'Unavailable']);

const identityOf = (index: number, instance: string): string => `master-${index}/${instance}`;
const masterOf = (identity: string | undefined): number | undefined => {
  const index = /^master-([0-2])\//.exec(identity ?? '')?.[1];
  return index === undefined ? undefined : Number(index);
};

export class LeaseLog extends ReplicaLog implements Log {
  readonly #o: LeaseLogOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #pool: Pool;
  readonly #catchUp: CatchUp;
  readonly #coSigner: CoSigner;
  readonly #proposing: Proposing;
  readonly #stopping = new AbortController();
  #leadership: Leadership | undefined;
  #term: Promise<unknown> = Promise.resolve();
  #running: Promise<unknown> | undefined;
  #lastTurnAt: number;

  /** Reads the disk; throws DiskError or ReplicaError. */
  constructor(options: LeaseLogOptions) {
    const { clock = realClock, random = Math.random, logger = defaultLogger } = options;
    super({ ...options, logger });
    this.#o = options;
    this.#clock = clock;
    this.#random = random;
    this.#logger = logger;
    this.#pool = new Pool({ clock });
    this.#catchUp = new CatchUp(this.replica, options.peers, logger, clock, this.#stopping.signal);
    const shared = { ...options, replica: this.replica, catchUp: this.#catchUp, clock, random, logger };
    this.#coSigner = new CoSigner(shared);
    this.#proposing = new Proposing({ ...shared, coSigner: this.#coSigner, pool: this.#pool, generation: options.committee.generation });
    this.replica.onDecided(({ block }) => this.#pool.decided(block.commands, block.height));
    this.#lastTurnAt = clock.now();
  }

  start(): void {
    this.#running ??= Promise.all([this.#learnBar(), this.#keepUp(), this.#lead()]);
  }

  /** Gives the Lease back and waits for what runs. The disk is the caller's to close. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#pool.close();
    await this.#running;
  }

  async propose(command: Command): Promise<Decision> {
    const { decision, fresh } = this.#pool.add(command);
    if (fresh) void this.#forwardUntilDecided(command, decision);
    return decision;
  }

  /** Another master brings a command to the holder. */
  async #takeForwarded(command: Command): Promise<Decision> {
    if (!this.isPrimary()) return { ok: false, code: 'NoLeader', message: 'this master does not propose now' };
    const { decision } = this.#pool.add(command);
    this.#proposing.wake();
    return decision;
  }

  /** To whoever proposes now, until the command is decided here, refused, or timed out in the pool. */
  async #forwardUntilDecided(command: Command, decision: Promise<Decision>): Promise<void> {
    const over = new AbortController();
    const settled = decision.finally(() => over.abort());
    for (let tries = 1; !over.signal.aborted && !this.#stopping.signal.aborted; tries += 1) {
      if (this.isPrimary()) {
        this.#proposing.wake();
        return; // it is in the pool that blocks are made from; a term that ends early leaves it to the caller's next try
      }
      const peer = this.#o.peers.find((p) => p.index === this.primary());
      const answer = peer && (await this.#tryForward(peer, command));
      if (answer && !answer.ok && !worthAnotherTry.has(answer.code)) this.#pool.refused(command, answer.code, answer.message);
      if (answer?.ok) return; // the block comes by itself; only when it is decided here is it decided
      await Promise.race([settled, this.#clock.sleep(backoffMs(tries, retry, this.#random), this.#stopping.signal)]);
    }
  }

  async #tryForward(peer: Peer, command: Command): Promise<Decision | undefined> {
    try {
      return await peer.forward(command);
    } catch (thrown) {
      this.#logger.info({ peer: peer.index, ...errorFields(thrown) }, 'a command could not be forwarded');
      return undefined;
    }
  }

  isPrimary(): boolean {
    return this.#leadership?.isHolder() === true && this.replica.halted() === undefined;
  }
  primary(): number | undefined {
    return this.isPrimary() ? this.#o.index : masterOf(this.#leadership?.holder());
  }
  wake(): void {
    this.#proposing.wake();
  }
  /** Why this master takes no part any more, if so. */
  halted(): ReplicaError | undefined {
    return this.replica.halted();
  }
  /** Civil time of the last turn of the loop that keeps this master up with the others: for liveness. */
  lastProgressAt(): number {
    return this.#lastTurnAt;
  }
  /** Commands that wait here for their block. */
  pending(): readonly Command[] {
    return this.#pool.commands();
  }

  handlers(): PeerHandlers {
    return {
      propose: (from, message) => this.#coSigner.propose(from, message),
      decide: (from, block) => this.#coSigner.decide(from, block),
      getVote: (from, height) => this.#coSigner.getVote(from, height),
      sync: (from) => this.#coSigner.sync(from),
      forward: (command) => this.#takeForwarded(command),
    };
  }

  /** A blank disk votes for nothing until both others were heard; see `barAfterBlank`. */
  async #learnBar(): Promise<void> {
    const { disk, peers } = this.#o;
    for (let tries = 1; disk.bar() === undefined && !this.#stopping.signal.aborted; tries += 1) {
      const heard = await Promise.all(peers.map((peer) => this.#proposing.hearOne(peer, this.height() + 1n)));
      const bar = barAfterBlank(heard.filter((h) => h !== undefined));
      if (bar === undefined) await this.#clock.sleep(backoffMs(tries, retry, this.#random), this.#stopping.signal);
      else disk.setBar(bar);
      if (bar !== undefined) this.#logger.info({ bar: Number(bar) }, 'the disk was blank; votes begin above this height');
    }
  }

  async #keepUp(): Promise<void> {
    for (let turn = 0; !this.#stopping.signal.aborted; turn += 1) {
      this.#lastTurnAt = this.#clock.now();
      const peer = this.#o.peers[turn % this.#o.peers.length];
      if (peer && !this.isPrimary()) await this.#catchUp.from(peer.index);
      await this.#clock.sleep(SYNC_EVERY_MS * (0.8 + this.#random() * 0.4), this.#stopping.signal);
    }
  }

  /** Runs for the Lease; after a term in which nothing moved it rests, so that another can try. */
  async #lead(): Promise<void> {
    while (!this.#stopping.signal.aborted && !this.replica.halted()) {
      const resigned = Promise.withResolvers<void>();
      const stop = (): void => resigned.resolve();
      this.#stopping.signal.addEventListener('abort', stop, { once: true });
      this.#leadership = this.#o.startLeadership({
        identity: identityOf(this.#o.index, this.#o.instance),
        onStarted: async (signal) => {
          const term = this.#proposing.term(signal);
          this.#term = term.catch(() => {}); // told to whoever runs the leadership
          if ((await term) === 'resign') resigned.resolve();
        },
        onStopped: () => {},
      });
      await resigned.promise;
      this.#stopping.signal.removeEventListener('abort', stop);
      await this.#leadership.stop();
      await this.#term;
      if (!this.#stopping.signal.aborted) await this.#clock.sleep(this.#o.restMs * (1 + this.#random()), this.#stopping.signal);
    }
  }
}
