/**
 * The Log by MinBFT (rules N1, N2, N6-N9, G4, T5): three masters agree though one of them lies, as long as two trusted counters live.
 * Here the parts meet: the state machine's driver, the formation of the counters, the admission of a new one, the commands that are due.
 */
import { committeeOf, encodeCanonical, type Certificate, type Command, type Committee, type State as Records } from '@scs/protocol';
import { errorFields } from '../../../kube/logger.ts';
import type { DiskError } from '../../log/disk.ts';
import type { Decision, Log } from '../../log/log.ts';
import { ReplicaLog } from '../../log/replica-log.ts';
import { blockOf, decidedHeight, type Tip } from '../chain.ts';
import type { Limits } from '../environment.ts';
import type { Standing } from '../formation-step.ts';
import type { CounterNow } from '../recover.ts';
import { identityOf, latestOf } from '../roster.ts';
import { standingOf } from '../standing.ts';
import { type HeldVote, leaderOf, ownStream } from '../state.ts';
import { certifiedTip, rememberedAtStart } from './chain-at-start.ts';
import { CommandDesk } from './command-desk.ts';
import { keepAdmitted } from './counter-admission.ts';
import { endOf } from './end-of-generation.ts';
import { environmentOf } from './environment-of.ts';
import { FormationExchange } from './formation-exchange.ts';
import { Inbox } from './inbox.ts';
import { Machine, type ViewCause } from './machine.ts';
import { type Agreement, type AgreementCondition, type MinbftOptions, RUNTIME_LIMITS } from './minbft-options.ts';
import { PeersHeard } from './peers-heard.ts';
import { decodeMessage, encodeMessage, type Packet, type PeerMessage } from './wire-codec.ts';

const EVERY_MS = 300;

export class MinbftLog extends ReplicaLog implements Log {
  readonly #o: MinbftOptions;
  readonly #committee: Committee;
  readonly #limits: Limits;
  readonly #desk: CommandDesk;
  readonly #inbox: Inbox;
  readonly #exchange: FormationExchange;
  readonly #stopping = new AbortController();
  #machine: Machine | undefined;
  #counter: CounterNow | undefined;
  /** The last block written, which may not be told yet. */
  #written: Records;
  #halted: AgreementCondition | undefined;
  /** Why the machine has to begin anew. */
  #lost: string | undefined = 'start';
  /** Key of an identity that is of no use any more though its counter lives. */
  #spoilt: string | undefined;
  #wasPrimary = false;
  #running: Promise<void> | undefined;
  #lastTurnAt: number;
  #woken = new AbortController();
  readonly #heard: PeersHeard;
  readonly #viewHandlers: ((cause: ViewCause) => void)[] = [];

  /** Reads the disk; throws DiskError, ReplicaError or RangeError. */
  constructor(options: MinbftOptions) {
    const { genesis, genesisDigest, disk, rules, index, seed, logger, clock } = options;
    const committee = committeeOf(genesis);
    super({ disk, rules, genesis: genesisDigest, genesisTime: genesis.time, committee, logger });
    this.#o = options;
    this.#limits = { ...RUNTIME_LIMITS, ...options.limits };
    this.#committee = committee;
    for (const { bytes, certificate } of options.store.unwritten()) {
      this.replica.checkGeneration(certificate.head);
      this.replica.decide(bytes, certificate);
    }
    options.store.beginGeneration(committee.generation);
    this.#written = this.replica.state();
    this.#inbox = new Inbox(() => clock.now());
    this.#desk = new CommandDesk({
      rules,
      candidates: options.candidates,
      inbox: this.#inbox,
      clock,
      state: () => (this.#halted ? undefined : this.#machine?.state()),
      certified: () => ({ records: this.state(), height: this.height() }),
      isPrimary: () => this.isPrimary(),
      wake: () => this.#machine?.wake(),
    });
    this.#exchange = new FormationExchange({
      genesis,
      genesisDigest,
      committee,
      index,
      seed,
      store: options.store,
      counter: options.counter,
      broadcast: (wire) => this.#broadcast(wire),
      send: (to, wire) => options.links.get(to)?.send(encodeMessage(wire)),
      now: () => clock.now(),
      logger,
      onConfirmed: () => this.#machine?.leave(),
      onOpened: () => this.#loseIdentity('a new formation is open'),
      onDiskFault: (error) => this.#halt(error.code, error.message),
    });
    this.replica.onDecided(({ block }) => {
      this.#desk.decided(block.commands, block.height);
      this.#haltAtEnd();
    });
    this.#haltAtEnd();
    this.#lastTurnAt = clock.now();
    this.#heard = new PeersHeard(() => clock.now());
  }

  start(): void {
    for (const link of this.#o.links.values()) link.start();
    this.#running ??= Promise.all([this.#run(), this.#keepAdmitted()]).then(() => undefined);
  }
  /** The disk and the counter are the caller's to close. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#woken.abort();
    this.#desk.close();
    await Promise.all([...this.#o.links.values()].map((link) => link.stop()));
    await this.#running;
    await this.#machine?.stop();
  }

  // --- the machine -------------------------------------------------------------------------------------------------------------

  /** Keeps a machine running on the counter that there is, and the exchange with it. */
  async #run(): Promise<void> {
    const { clock, logger } = this.#o;
    while (!this.#stopping.signal.aborted) {
      this.#lastTurnAt = clock.now();
      try {
        await this.#lookAtCounter();
        if (this.#lost !== undefined && this.#counter) await this.#restart(this.#counter);
      } catch (error) {
        logger.warn(errorFields(error), 'the counter does not answer');
        this.#counterSilent = true;
      }
      this.#form();
      this.#notePrimary();
      this.#desk.offerDue();
      await clock.sleep(EVERY_MS, AbortSignal.any([this.#stopping.signal, this.#woken.signal]));
      if (this.#woken.signal.aborted && !this.#stopping.signal.aborted) this.#woken = new AbortController();
    }
  }
  #counterSilent = false;
  async #lookAtCounter(): Promise<void> {
    const now = await this.#o.counter.describe();
    this.#counterSilent = false;
    if (this.#counter && now.key !== this.#counter.key) this.#loseIdentity('the counter started anew');
    this.#counter = now;
  }
  #loseIdentity(why: string, spoilt?: string): void {
    this.#lost = why;
    this.#spoilt = spoilt ?? this.#spoilt;
    this.#woken.abort();
  }

  /** From the disk, with the counter as it is. An identity that can't go on is replaced first. */
  async #restart(counter: CounterNow): Promise<void> {
    const { logger, index } = this.#o;
    const why = this.#lost;
    await this.#machine?.stop();
    if (this.#halted) return; // for good: what it could not store is in memory still
    // it may be older than the disk, and what was promised while it was admitted is not known here
    const older = why === 'start' && this.#o.store.blank();
    const now = this.#spoilt === counter.key || older ? await this.#o.counter.renew(counter.key) : counter;
    this.#counter = now;
    this.#lost = undefined;
    logger.info({ why, formation: this.#exchange.formation()?.number ?? 0, counter: now.key.slice(0, 16) }, 'the agreement begins');
    this.#machine = this.#machineWith(now);
    if (!this.#exchange.takesPart()) this.#machine.leave();
    this.#machine.start();
    this.#desk.pushAll();
    const { roster } = this.#machine.state().chain;
    const retired = identityOf(roster, now.key) !== undefined && latestOf(roster, index)?.key !== now.key;
    if (retired) this.#counter = await this.#o.counter.renew(now.key);
  }

  #machineWith(counter: CounterNow): Machine {
    const { genesisDigest, disk, store, clock, random, logger, links, genesis, witness } = this.#o;
    const formation = this.#exchange.formation();
    const roster = formation ? (store.roster() ?? formation.roster) : [];
    const at = { replica: this.replica, genesis: genesisDigest, generation: this.#committee.generation, disk, store };
    this.#written = this.replica.state();
    const remembered = rememberedAtStart({ ...at, roster, base: formation?.base, checkpointEvery: this.#limits.checkpointEvery });
    return new Machine(
      {
        env: environmentOf({ ...this.#o, committee: this.#committee, limits: this.#limits, formation: formation?.id }),
        disk,
        store,
        inbox: this.#inbox,
        counter: this.#o.counter,
        judging: { witness, clockBoundMs: genesis.policy.windows.clockBoundMs, clock, random },
        clock,
        random,
        logger,
        send: (to, packet) => links.get(to)?.send(packet),
        adopt: (decided, certificate) => this.#adopt(decided, certificate),
        onRefused: (bytes, why) => this.#desk.refused(bytes, why),
        onEvidence: (first, second) => this.#evidence(first, second),
        onCondition: (code, message) => {
          logger.warn({ code }, message);
          if (code === 'Fork' || code === 'DecidedInvalid' || code === 'ProtocolVersionUnknown') this.#halt(code, message);
        },
        onIdentityLost: (why, spoilt) => this.#loseIdentity(why, spoilt),
        onView: (cause) => {
          for (const handler of this.#viewHandlers) handler(cause);
          this.#desk.gather();
        },
        onRound: (ms, commands) => this.#o.onRound?.(ms, commands),
        onDiskFault: (error: DiskError) => this.#halt(error.code, error.message),
      },
      remembered,
      counter,
    );
  }

  #adopt({ bytes, records }: Tip, certificate: Certificate): () => void {
    const block = blockOf(bytes);
    if (!block || this.#o.disk.block(certificate.head.height)) return () => {}; // decided again after a crash, and stored before it
    const before = this.#written;
    this.#written = records;
    return this.replica.adopt({ block, bytes, before, state: records }, certificate);
  }

  #halt(code: string, message: string): void {
    this.#halted = { code, message };
    this.#o.logger.error({ code }, message);
  }
  /** P5: the last block of this generation is certified. This master goes on reading and answering, and decides nothing more. */
  #haltAtEnd(): void {
    const end = endOf(this.state(), this.#committee.generation, this.#o.index);
    if (end && !this.#halted) this.#halt(end.code, end.message);
  }
  #evidence(first: HeldVote, second: HeldVote): void {
    const { master } = first.vote;
    this.#o.logger.error({ master, height: Number(first.head.height) }, 'a master voted for two blocks at one height (G4)');
    this.#o.disk.storeOffence({ master, height: first.head.height, proof: encodeCanonical({ first, second }) });
  }

  // --- commands ----------------------------------------------------------------------------------------------------------------

  propose(command: Command): Promise<Decision> {
    if (this.#halted) return Promise.resolve({ ok: false, code: 'Unavailable', message: this.#halted.message });
    return this.#desk.propose(command);
  }
  wake(): void {
    this.#desk.gather();
  }
  #notePrimary(): void {
    const is = this.isPrimary();
    if (is && !this.#wasPrimary) this.#o.onPrimary?.();
    this.#wasPrimary = is;
  }

  /** What follows from decisions is not done by whoever leads this view: this master asks for another, and two are needed. */
  neglected(view: number): void {
    this.#inbox.put('own', { kind: 'neglected', view });
    this.#machine?.wake();
  }

  // --- counters ----------------------------------------------------------------------------------------------------------------

  #standing(): Standing | undefined {
    const { index, store, disk } = this.#o;
    const state = this.#machine?.state();
    if (!state || !this.#counter) return undefined;
    const voted = disk.vote(this.#committee.generation, state.chain.certified.head.height + 1n) !== undefined;
    return standingOf(state, index, this.#counter, { blank: store.blank(), voted });
  }
  #form(): void {
    const standing = this.#standing();
    if (standing) this.#exchange.tick(standing);
  }

  #keepAdmitted(): Promise<void> {
    const options = {
      ...this.#o,
      standing: () => {
        const state = this.#machine?.state();
        if (!state || !this.#counter || !this.#exchange.takesPart()) return undefined;
        return { state, key: this.#counter.key };
      },
      certified: () => ({ head: this.#certifiedTip().head, records: this.state() }),
      propose: (command: Command) => this.propose(command),
    };
    return keepAdmitted(options, this.#stopping.signal);
  }
  #certifiedTip(): Tip {
    return certifiedTip({ replica: this.replica, genesis: this.#o.genesisDigest, generation: this.#committee.generation });
  }

  // --- peers -------------------------------------------------------------------------------------------------------------------

  #broadcast(message: PeerMessage): void {
    const packet = encodeMessage(message);
    for (const link of this.#o.links.values()) link.send(packet);
  }
  /** From a peer whom TLS has proven. `malformed`: end the stream. `full`: read no more until `resume`. */
  receive(from: number, packet: Packet, resume: () => void): 'taken' | 'full' | 'malformed' {
    const message = decodeMessage(packet);
    if (!message) return 'malformed';
    this.#heard.note(from, message.kind === 'status' ? message.certified : undefined);
    switch (message.kind) {
      case 'hello':
      case 'statement':
      case 'confirmation':
      case 'opened': {
        const { admitted, room } = this.#inbox.admits(from, resume);
        if (admitted) this.#exchange.take(from, message);
        return room ? 'taken' : 'full';
      }
      default: {
        const room = this.#inbox.put(from, { kind: 'message', from, wire: message }, resume);
        this.#machine?.wake();
        return room ? 'taken' : 'full';
      }
    }
  }

  // --- what others see ---------------------------------------------------------------------------------------------------------

  primary(): number | undefined {
    const state = this.#machine?.state();
    return state && leaderOf(state, decidedHeight(state.chain) + 1n)?.master;
  }
  isPrimary(): boolean {
    const state = this.#machine?.state();
    return !this.#halted && state?.own.muted === undefined && this.primary() === this.#o.index && ownStream(state!)?.view === state?.view;
  }
  halted(): AgreementCondition | undefined {
    return this.#halted;
  }
  lastProgressAt(): number {
    return this.#lastTurnAt;
  }
  pending(): readonly Command[] {
    return this.#desk.pending();
  }
  /** Why this master can't take part now, if so. */
  condition(): AgreementCondition | undefined {
    if (this.#halted) return this.#halted;
    if (this.#counterSilent) return { code: 'CounterAway', message: 'The counter of this master does not answer.' };
    const formation = this.#exchange.condition();
    if (formation) return formation;
    if (this.#heard.allAway())
      return { code: 'PeersAway', message: 'No other master was heard for seconds; alone this one decides nothing.' };
    const state = this.#machine?.state();
    if (state?.own.muted !== undefined) return { code: 'CounterAhead', message: state.own.muted };
    if (!this.#standing()?.admitted) return { code: 'NotAdmitted', message: 'The counter of this master waits to be admitted (N8).' };
    return undefined;
  }
  /** For metrics and `kubectl symphony masters`. */
  agreement(): Agreement {
    const machine = this.#machine?.state();
    return {
      view: machine?.view ?? 0,
      formation: this.#exchange.formation()?.number ?? 0,
      counter: this.#counter?.key ?? '',
      decided: machine ? Number(decidedHeight(machine.chain)) : 0,
      machine,
    };
  }
  /** Blocks up to here are sent to nobody any more: who lacks one is given a snapshot. */
  floor(): bigint {
    return this.#machine?.state().chain.floor ?? 0n;
  }
  /** Blocks that a peer is behind, by its last word. */
  lagOf(peer: number): number {
    return Math.max(0, Number(this.height() - this.#heard.heightOf(peer)));
  }
  /** Told of each view that this master enters. */
  onView(handler: (cause: ViewCause) => void): void {
    this.#viewHandlers.push(handler);
  }
}
