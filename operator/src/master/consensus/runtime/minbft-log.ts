/**
 * The Log by MinBFT (rules N1, N2, N6-N9, G4, T5): three masters agree though one of them lies, as long as two trusted counters live.
 * Here the parts meet: the state machine's driver, the formation of the counters, the admission of a new one, the commands that are due.
 */
import {
  certificateFault,
  decideMessage,
  decodeCommand,
  encodeCanonical,
  encodeCommand,
  FIRST_GENERATION,
  sign,
  signStatement,
  verifySignature,
  type Block,
  type Certificate,
  type CertifiedLeaf,
  type Command,
  type Committee,
  type Genesis,
  type State as Records,
} from '@scs/protocol';
import { type Clock } from '../../../kube/clock.ts';
import { errorFields, type Logger } from '../../../kube/logger.ts';
import type { Disk, DiskError } from '../../log/disk.ts';
import type { Candidates, Decided, Decision, Log, Witness } from '../../log/log.ts';
import { Pool } from '../../log/pool.ts';
import { Replica } from '../../log/replica.ts';
import type { Rules } from '../../log/rules-port.ts';
import { blockOf, decidedHeight, lastDecided, type Tip } from '../chain.ts';
import { DEFAULT_LIMITS, type Environment, type Limits } from '../environment.ts';
import { commandDigest } from '../pool.ts';
import type { CounterNow } from '../recover.ts';
import { identityOf, latestOf } from '../roster.ts';
import { type HeldVote, leaderOf, ownStream, type State } from '../state.ts';
import { uiHolds } from '../usig.ts';
import type { AgreementStore } from './agreement-store.ts';
import { certifiedTip, chainAtStart } from './chain-at-start.ts';
import type { CounterPort } from './counter-port.ts';
import { FormationExchange, type Formation, type FormationCondition } from './formation-exchange.ts';
import { Inbox } from './inbox.ts';
import { Machine } from './machine.ts';
import type { PeerLink } from './peer-link.ts';
import { decodeMessage, encodeMessage, type Packet, type PeerMessage } from './wire-codec.ts';

export interface MinbftOptions {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly rules: Rules;
  readonly disk: Disk;
  readonly store: AgreementStore;
  readonly counter: CounterPort;
  readonly links: ReadonlyMap<number, PeerLink>;
  readonly witness: Witness;
  readonly candidates: Candidates;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly limits?: Partial<Limits>;
  /** This master leads a view now, and does the effects. */
  readonly onPrimary?: () => void;
  readonly onRound?: (ms: number, commands: number) => void;
}
/** Why this master does not take part as it should. Codes are headings of docs/troubleshooting.md. */
export interface AgreementCondition {
  readonly code: string;
  readonly message: string;
}

/** Batches form by themselves while a message waits for its counter, so nothing is held back on purpose. */
export const RUNTIME_LIMITS: Limits = { ...DEFAULT_LIMITS, batchDelayMs: 0, batchCommands: 1_000 };
const EVERY_MS = 300;
/** What is due and not proposed for so long, another master puts forward too: then a primary that leaves it loses its view. */
const OVERDUE_MS = 400;
const ADMIT_EVERY_MS = 2_000;

export class MinbftLog implements Log {
  readonly #o: MinbftOptions;
  readonly #committee: Committee;
  readonly #limits: Limits;
  readonly #replica: Replica;
  readonly #pool: Pool;
  readonly #inbox: Inbox;
  readonly #exchange: FormationExchange;
  readonly #stopping = new AbortController();
  readonly #offered = new Map<string, number>();
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
  #gatherDue = false;
  #woken = new AbortController();
  readonly #viewChanges = new Map<string, number>();

  /** Reads the disk; throws DiskError, ReplicaError or RangeError. */
  constructor(options: MinbftOptions) {
    const { genesis, genesisDigest, disk, rules, index, seed, logger, clock } = options;
    this.#o = options;
    this.#limits = { ...RUNTIME_LIMITS, ...options.limits };
    this.#committee = { generation: FIRST_GENERATION, keys: genesis.masters.map((m) => m.publicKey) };
    this.#replica = new Replica({
      disk,
      rules,
      genesis: genesisDigest,
      genesisTime: genesis.time,
      committee: this.#committee,
      index,
      seed,
      logger,
    });
    this.#written = this.#replica.state();
    this.#pool = new Pool({ clock });
    this.#inbox = new Inbox(() => clock.now());
    this.#exchange = new FormationExchange({
      genesis,
      genesisDigest,
      generation: FIRST_GENERATION,
      index,
      seed,
      store: options.store,
      standing: () => this.#standing(),
      attest: (key, height, block) => options.counter.attest(key, height, block),
      broadcast: (wire) => this.#broadcast(wire),
      send: (to, wire) => options.links.get(to)?.send(encodeMessage(wire)),
      now: () => clock.now(),
      logger,
      onStated: () => this.#machine?.silence('it has stated that its stream ended (N9)'),
      onOpened: () => this.#loseIdentity('a new formation is open'),
    });
    this.#replica.onDecided(({ block }) => {
      this.#pool.decided(block.commands, block.height);
      this.#gather();
    });
    this.#lastTurnAt = clock.now();
  }

  start(): void {
    for (const link of this.#o.links.values()) link.start();
    this.#running ??= Promise.all([this.#run(), this.#admitOwn()]).then(() => undefined);
  }
  /** The disk and the counter are the caller's to close. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#woken.abort();
    this.#pool.close();
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
      if (this.#counter) this.#exchange.tick();
      this.#offerDue();
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
    const now = this.#spoilt === counter.key ? await this.#o.counter.renew(counter.key) : counter;
    this.#counter = now;
    this.#lost = undefined;
    logger.info({ why, formation: this.#exchange.formation()?.number ?? 0, counter: now.key.slice(0, 16) }, 'the agreement begins');
    this.#machine = this.#machineWith(now);
    if (this.#exchange.hasStated()) this.#machine.silence('it has stated that its stream ended (N9)');
    this.#machine.start();
    for (const command of this.#pool.commands()) this.#push(command);
    const { roster } = this.#machine.state().chain;
    const retired = identityOf(roster, now.key) !== undefined && latestOf(roster, index)?.key !== now.key;
    if (retired) this.#counter = await this.#o.counter.renew(now.key);
  }

  #machineWith(counter: CounterNow): Machine {
    const { genesisDigest, disk, store, clock, random, logger, links, genesis, witness } = this.#o;
    const formation = this.#exchange.formation();
    const roster = formation ? (store.roster() ?? formation.roster) : [];
    const shared = { replica: this.#replica, genesis: genesisDigest, generation: FIRST_GENERATION };
    const tip = certifiedTip(shared);
    this.#written = this.#replica.state();
    const intent = store.intent();
    const base: Tip = formation ? { ...tip, head: { ...tip.head, ...formation.base } } : tip;
    const remembered = {
      base,
      roster,
      chain: chainAtStart({ ...shared, disk, checkpointEvery: this.#limits.checkpointEvery, roster }),
      blocks: [],
      messages: store.messages(),
      anchors: store.anchors(),
      votes: [],
      ...(intent ? { intent } : {}),
    };
    return new Machine(
      {
        env: this.#environment(formation),
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
        onRefused: (bytes, why) => this.#refused(bytes, why),
        onEvidence: (first, second) => this.#evidence(first, second),
        onCondition: (code, message) => {
          logger.warn({ code }, message);
          if (code === 'Fork' || code === 'DecidedInvalid') this.#halt(code, message);
        },
        onIdentityLost: (why, spoilt) => this.#loseIdentity(why, spoilt),
        onDiskFault: (error: DiskError) => this.#halt(error.code, error.message),
      },
      remembered,
      counter,
    );
  }

  #environment(formation: Formation | undefined): Environment {
    const { index, genesisDigest, rules, seed } = this.#o;
    return {
      index,
      genesis: genesisDigest,
      generation: FIRST_GENERATION,
      formation: formation?.id ?? genesisDigest,
      limits: this.#limits,
      rules,
      holds: {
        ui: uiHolds,
        vote: (head, { master, signature }) => verifySignature(this.#committee.keys[master] ?? '', decideMessage(head), signature),
        certificate: (certificate) => certificateFault(certificate, genesisDigest, this.#committee) === undefined,
      },
      sign: (head) => ({ master: index, signature: sign(seed, decideMessage(head)) }),
      admissions: (block) =>
        block.commands.flatMap((c) => (c.type === 'counter.admit' ? [{ master: c.statement.master, key: c.statement.key }] : [])),
    };
  }

  #adopt({ bytes, records }: Tip, certificate: Certificate): () => void {
    const block = blockOf(bytes);
    if (!block || this.#o.disk.block(certificate.head.height)) return () => {}; // decided again after a crash, and stored before it
    const before = this.#written;
    this.#written = records;
    return this.#replica.adopt({ block, bytes, before, state: records }, certificate);
  }

  #halt(code: string, message: string): void {
    this.#halted = { code, message };
    this.#o.logger.error({ code }, message);
  }
  #evidence(first: HeldVote, second: HeldVote): void {
    const { master } = first.vote;
    this.#o.logger.error({ master, height: Number(first.head.height) }, 'a master voted for two blocks at one height (G4)');
    this.#o.disk.storeOffence({ master, height: first.head.height, proof: encodeCanonical({ first, second }) });
  }

  // --- commands ----------------------------------------------------------------------------------------------------------------

  async propose(command: Command): Promise<Decision> {
    const { decision, fresh } = this.#pool.add(command);
    if (fresh) this.#push(command);
    return decision;
  }
  #push(command: Command): void {
    this.#inbox.put('own', { kind: 'command', bytes: encodeCommand(command) });
    this.#machine?.wake();
  }
  #refused(bytes: Uint8Array, why: string): void {
    const command = decodeCommand(bytes);
    const { rules, clock } = this.#o;
    const at = { time: Math.max(this.time(), clock.now()), height: this.height() + 1n };
    const applied = rules.apply(this.state(), command, at);
    const message = applied.ok ? (refusals[why] ?? 'it was not taken now; try again') : applied.fault.message;
    const code = why === 'NotBorneOut' ? 'Unavailable' : why;
    this.#offered.delete(commandDigest(bytes));
    this.#pool.refused(command, code, message);
    this.#o.candidates.refused(command, code, message);
  }

  wake(): void {
    this.#gather();
  }
  /** Once for all that happens in one turn of the event loop. */
  #gather(): void {
    if (this.#gatherDue) return;
    this.#gatherDue = true;
    setImmediate(() => {
      this.#gatherDue = false;
      this.#offerDue();
    });
  }
  /** What the state calls for and what this master has gathered: by the primary at once, by the others when it is overdue. */
  #offerDue(): void {
    const machine = this.#machine;
    if (!machine || this.#stopping.signal.aborted || this.#halted) return;
    const { rules, candidates, clock } = this.#o;
    this.#notePrimary();
    const now = clock.now();
    const state = machine.state();
    const { records } = lastDecided(state.chain);
    const due = [...rules.next(records, now), ...candidates.take(records, now)];
    const seen = new Set<string>();
    for (const command of due) {
      const bytes = encodeCommand(command);
      const id = commandDigest(bytes);
      seen.add(id);
      const since = this.#offered.get(id) ?? now;
      this.#offered.set(id, since);
      if (state.pool.has(id) || !(this.isPrimary() || now - since >= OVERDUE_MS)) continue;
      this.#inbox.put('own', { kind: 'command', bytes });
    }
    for (const id of this.#offered.keys()) if (!seen.has(id)) this.#offered.delete(id);
    if (!this.#inbox.isEmpty()) machine.wake();
  }
  #notePrimary(): void {
    const is = this.isPrimary();
    if (is && !this.#wasPrimary) this.#o.onPrimary?.();
    this.#wasPrimary = is;
  }

  // --- counters ----------------------------------------------------------------------------------------------------------------

  #standing() {
    const machine = this.#machine;
    const key = this.#counter?.key ?? '';
    const state = machine?.state();
    const { index } = this.#o;
    const latest = state && latestOf(state.chain.roster, index);
    const stream = latest && state?.streams.get(latest.key);
    return {
      key,
      admitted: latest !== undefined && latest.key === key && (state?.own.muted === undefined || this.#exchange.hasStated()),
      certified: this.#replica.certificate() ?? null,
      quiet:
        state !== undefined && state.chain.decided.length === 0 && this.#o.disk.vote(FIRST_GENERATION, this.height() + 1n) === undefined,
      ended: stream ? { key: stream.key, counter: stream.next - 1 } : null,
      hasRead: ({ key: other, counter }: { readonly key: string; readonly counter: number }) =>
        (state?.streams.get(other)?.next ?? 0) > counter,
    };
  }

  /** N8: a counter that nobody has admitted asks to be. */
  async #admitOwn(): Promise<void> {
    const { clock, logger } = this.#o;
    while (!this.#stopping.signal.aborted) {
      await clock.sleep(ADMIT_EVERY_MS, this.#stopping.signal);
      try {
        const command = await this.#admission();
        if (!command) continue;
        const decision = await this.propose(command);
        logger.info({ code: decision.ok ? 'Decided' : decision.code }, 'admission of this master’s counter');
      } catch (error) {
        logger.warn(errorFields(error), 'the counter could not be attested');
      }
    }
  }
  async #admission(): Promise<Command | undefined> {
    const { genesisDigest, index, seed, counter } = this.#o;
    const state = this.#machine?.state();
    if (!state || !this.#counter || !this.#exchange.formation() || this.#exchange.hasStated()) return undefined;
    const { key } = this.#counter;
    if (state.own.key !== key || state.own.muted !== undefined || identityOf(state.chain.roster, key)) return undefined;
    const { height, block } = certifiedTip({ replica: this.#replica, genesis: genesisDigest, generation: FIRST_GENERATION }).head;
    const sequence = (this.state().get('counter', String(index))?.sequence ?? 0) + 1;
    const attestation = await counter.attest(key, height, block);
    const statement = { master: index, key, sequence, height, block, attestation };
    return { type: 'counter.admit', statement, signature: signStatement(seed, 'counter.admit', genesisDigest, statement) };
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
    switch (message.kind) {
      case 'hello':
      case 'statement':
      case 'confirmation':
      case 'opened':
        this.#exchange.take(from, message);
        return 'taken';
      default: {
        const room = this.#inbox.put(from, { kind: 'message', from, wire: message }, resume);
        this.#machine?.wake();
        return room ? 'taken' : 'full';
      }
    }
  }

  // --- what others see ---------------------------------------------------------------------------------------------------------

  onDecided(handler: (decided: Decided) => void): () => void {
    return this.#replica.onDecided(handler);
  }
  height(): bigint {
    return this.#replica.height();
  }
  time(): number {
    return this.#replica.time();
  }
  state(): Records {
    return this.#replica.state();
  }
  certificate(): Certificate | undefined {
    return this.#replica.certificate();
  }
  leaf(key: string): CertifiedLeaf | undefined {
    return this.#replica.leaf(key);
  }
  block(height: bigint): Block | undefined {
    return this.#replica.block(height);
  }
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
    return this.#pool.commands();
  }
  /** Why this master can't take part now, if so. */
  condition(): AgreementCondition | FormationCondition | undefined {
    if (this.#halted) return this.#halted;
    if (this.#counterSilent) return { code: 'CounterAway', message: 'The counter of this master does not answer.' };
    const formation = this.#exchange.condition();
    if (formation) return formation;
    const state = this.#machine?.state();
    if (state?.own.muted !== undefined) return { code: 'CounterAhead', message: state.own.muted };
    if (!this.#standing().admitted) return { code: 'NotAdmitted', message: 'The counter of this master waits to be admitted (N8).' };
    return undefined;
  }
  /** For metrics and `kubectl symphony masters`. */
  agreement(): { readonly view: number; readonly formation: number; readonly counter: string; readonly machine: State | undefined } {
    const machine = this.#machine?.state();
    return { view: machine?.view ?? 0, formation: this.#exchange.formation()?.number ?? 0, counter: this.#counter?.key ?? '', machine };
  }
}

const refusals: Readonly<Record<string, string>> = {
  Busy: 'too many commands wait; try again',
  TimedOut: 'not decided in time; it may still be',
  NotBorneOut: 'the masters could not bear it out by their own reading; try again',
};
