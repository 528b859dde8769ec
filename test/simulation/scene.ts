/**
 * A stage for one exact interleaving: two correct masters with the algorithm under test, and a liar played by hand. The liar has its
 * counters and its durable key, hears everything, and carries every message: nothing reaches anybody that the scene does not let
 * through. A scene passes if no invariant breaks and, once the two correct masters hear each other, they go on (rules N1, N7).
 */
import { blockDigest, encodeBlock, type Block, type Certificate, type Head } from '@scs/protocol';
import type { Tip } from '@scs/operator/master/consensus/chain.ts';
import { bodyDigest, type Body, type Message, type Reference } from '@scs/operator/master/consensus/messages.ts';
import type { Roster } from '@scs/operator/master/consensus/roster.ts';
import type { State } from '@scs/operator/master/consensus/state.ts';
import { toyCommand } from '@scs/operator/master/log/testing/toy-rules.ts';
import type { Algorithm } from './algorithm.ts';
import { Clockwork } from './clockwork.ts';
import { Invariants, Violation } from './invariants.ts';
import { baseTip, Master, type World } from './master.ts';
import type { Said } from './network.ts';
import { FORMATION, SimulatedCounter, signVote } from './trust.ts';

const MOVE_MS = 60_000;
const SETTLE_MS = 60_000;
const STEP_MS = 20;
/** A tick and what comes of it. */
const WORK_MS = 100;

export interface Offer {
  readonly digest: string;
  readonly bytes: Uint8Array;
}
export type BodyOf<K extends Body['kind']> = Extract<Body, { kind: K }>;

export class Scene {
  readonly clockwork = new Clockwork();
  readonly invariants = new Invariants((master) => master !== this.liar);
  readonly liar: number;
  readonly masters: readonly Master[];
  /** The liar's counter, as the roster has it. */
  readonly counter: SimulatedCounter;
  readonly trace: string[] = [];
  /** What correct masters say on formations reaches the other, if nothing else does. */
  forming = false;
  /** All that correct masters sent, each message once. */
  readonly #heard: Message[] = [];
  readonly #said: Message[] = [];
  readonly #open = new Set<string>();
  readonly #owners = new Map<string, number>();
  #names = 0;

  constructor(algorithm: Algorithm, liar: number) {
    this.liar = liar;
    const counters = [0, 1, 2].map((i) => new SimulatedCounter(`${i}/0`));
    for (const [index, { key }] of counters.entries()) this.#owners.set(key, index);
    const roster: Roster = counters.map(({ key }, master) => ({ master, key, from: 1n }));
    const world: World = {
      algorithm: () => algorithm,
      clockwork: this.clockwork,
      random: () => 0.5,
      invariants: this.invariants,
      roster,
      send: (from, to, wire) => this.#send(from, to, wire),
      trace: (line) => this.note(line),
      count: () => {},
      isHonest: (master) => master !== liar,
      isCounterOf: (key, master) => this.#owners.get(key) === master,
      madeCounter: (counter, master) => this.#owners.set(counter.key, master),
    };
    this.masters = counters.map((counter, index) => new Master(index, world, counter));
    this.counter = this.master(liar).counter;
    for (const master of this.honest()) master.start();
  }

  note(line: string): void {
    this.trace.push(`${String(Math.floor(this.clockwork.now)).padStart(6)} ms  ${line}`);
  }
  master(index: number): Master {
    const master = this.masters[index];
    if (!master) throw new RangeError(`no master ${index}`);
    return master;
  }
  honest(): readonly Master[] {
    return this.masters.filter(({ index }) => index !== this.liar);
  }
  state(index: number): State {
    const { state } = this.master(index);
    if (!state) throw new RangeError(`master ${index} is down`);
    return state;
  }
  certified(index: number): bigint {
    return this.state(index).chain.certified.head.height;
  }

  #send(from: number, to: number, wire: Said): void {
    if (wire.kind === 'stream' && !this.#heard.some((m) => m.ui.key === wire.message.ui.key && m.ui.counter === wire.message.ui.counter)) {
      this.#heard.push(wire.message);
      const { body, ui } = wire.message;
      this.note(`master ${from} says ${describe(body)} @${ui.counter}`);
    }
    this.clockwork.after(1, () => {
      const forms = wire.kind === 'hello' || wire.kind === 'statement' || wire.kind === 'confirmation' || wire.kind === 'opened';
      if (this.#open.has(`${from}-${to}`) || (forms && this.forming)) this.master(to).hear(from, wire);
    });
  }
  pass(ms: number): void {
    this.clockwork.until(this.clockwork.now + ms);
  }
  /** From now on the two correct masters hear each other. */
  join(): void {
    for (const a of this.honest()) for (const b of this.honest()) this.#open.add(`${a.index}-${b.index}`);
  }
  part(): void {
    this.#open.clear();
  }

  /** A block of the liar's, on the base or on another tip. */
  offer(name: string, parent: Tip = baseTip(), change: Partial<Block> = {}): Offer {
    const block: Block = {
      height: parent.head.height + 1n,
      generation: 0n,
      parent: parent.head.block,
      time: Math.max(parent.time, Math.floor(this.clockwork.now)),
      proposer: this.liar,
      commands: [toyCommand(name)],
      ...change,
    };
    return { digest: blockDigest(block), bytes: encodeBlock(block) };
  }
  /** A message of the liar's with the next UI of its counter; nobody has it yet. */
  say(body: Body, bytes?: Uint8Array, counter = this.counter): Message {
    const message: Message = { body, ui: counter.createUi(bodyDigest(FORMATION, body)), ...(bytes ? { bytes } : {}) };
    this.#said.push(message);
    this.note(`liar makes ${describe(body)} @${message.ui.counter}`);
    return message;
  }
  prepare(view: number, height: bigint, { digest, bytes }: Offer, counter = this.counter): Message {
    return this.say({ kind: 'prepare', view, height, block: digest }, bytes, counter);
  }
  /** The liar's commit of a prepare, whoever made that. */
  commit({ body, ui }: Message, counter = this.counter): Message {
    if (body.kind !== 'prepare') throw new RangeError('not a prepare');
    const { view, height, block } = body;
    return this.say({ kind: 'commit', view, height, block, prepare: { key: ui.key, counter: ui.counter } }, undefined, counter);
  }
  change(view: number, counter = this.counter): Message {
    return this.say({ kind: 'view-change', view }, undefined, counter);
  }
  open(view: number, quorum: readonly [Message, Message], base: Certificate | null = null, counter = this.counter): Message {
    return this.say({ kind: 'new-view', view, base, quorum: [placeOf(quorum[0]), placeOf(quorum[1])] }, undefined, counter);
  }
  /** Leads a view rightly: a block for each name, on what is decided, told to both or to some. */
  leads(view: number, names: readonly string[], to: readonly number[] = this.honest().map(({ index }) => index)): readonly Message[] {
    return names.map((name) => {
      const { chain } = this.state(to[0] ?? 0);
      const parent = chain.decided.at(-1) ?? chain.certified;
      const made = this.prepare(view, parent.head.height + 1n, this.offer(name, parent));
      for (const index of to) this.tell(index, made);
      return made;
    });
  }
  /** Commits what a correct master has prepared and not decided yet, up to a height, and votes with it. */
  follows(master: number, last: bigint): void {
    const { view, chain } = this.state(master);
    const height = (chain.decided.at(-1) ?? chain.certified).head.height + 1n;
    const made = height > last ? undefined : this.heard(master, 'prepare', view, height);
    if (made) this.tell(master, this.commit(made));
    for (const { head } of this.state(master).chain.decided) this.vote(master, head);
    this.pass(STEP_MS);
  }
  /** Another enclave of the liar's: nobody has admitted it. */
  another(): SimulatedCounter {
    this.master(this.liar).loseCounter();
    return this.master(this.liar).counter;
  }

  /** Hands messages over in this order, as if all at once; then time for the answers. */
  tell(to: number, ...messages: readonly (Message | undefined)[]): void {
    for (const message of messages) if (message) this.wire(to, { kind: 'stream', message });
    this.pass(WORK_MS);
  }
  wire(to: number, wire: Said): void {
    this.master(to).hear(this.liar, wire);
  }
  vote(to: number, head: Head): void {
    this.note(`liar votes for ${head.height} ${head.block.slice(0, 8)} to ${to}`);
    this.wire(to, { kind: 'vote', head, vote: signVote(this.liar, head) });
  }

  /** A correct master's message of this kind in this view, and height if it has one; undefined when it has said no such thing. */
  heard<K extends Body['kind']>(by: number, kind: K, view: number, height?: bigint): (Message & { readonly body: BodyOf<K> }) | undefined {
    const { key } = this.master(by).counter;
    return this.#heard.find(
      (m): m is Message & { readonly body: BodyOf<K> } =>
        m.ui.key === key &&
        m.body.kind === kind &&
        m.body.view === view &&
        (height === undefined || ('height' in m.body && m.body.height === height)),
    );
  }
  /** All that a correct master has said. */
  stream(by: number): readonly Message[] {
    const { key } = this.master(by).counter;
    return this.#heard.filter((m) => m.ui.key === key);
  }
  /** All that the liar has said with a counter. */
  own(counter = this.counter): readonly Message[] {
    return this.#said.filter((m) => m.ui.key === counter.key);
  }

  submit(to: number, name?: string, passes = WORK_MS): string {
    const chosen = name ?? `c${(this.#names += 1)}`;
    this.master(to).submit(toyCommand(chosen));
    this.pass(passes);
    return chosen;
  }
  /** A correct master is brought to leave for a view: its primary keeps silent, and the liar asks for another. */
  moves(master: number, view: number): Message {
    for (const until = this.clockwork.now + MOVE_MS; this.clockwork.now < until; this.pass(STEP_MS)) {
      const made = this.heard(master, 'view-change', view);
      if (made) return made;
      if (this.state(master).pool.size === 0) this.submit(master);
      this.wire(master, { kind: 'request-view', view });
    }
    throw new Violation(`master ${master} never changes to view ${view}`);
  }
  /** Goes on until it holds, or gives up; for what takes a while in virtual time. */
  until(holds: () => boolean, ms = MOVE_MS): boolean {
    for (const until = this.clockwork.now + ms; this.clockwork.now < until && !holds(); this.pass(STEP_MS));
    return holds();
  }
  /** The liar falls silent and the two hear each other: they must decide what is new, and alike. */
  close(): void {
    this.note('the liar is silent');
    this.join();
    const name = this.submit(this.honest()[0]?.index ?? 0);
    const settled = (): boolean =>
      this.invariants.commands.has(name) &&
      new Set(this.honest().map(({ index }) => this.state(index).chain.certified.head.block)).size === 1;
    // a command that waits too long is forgotten; whoever wants it submits it again
    const wanted = (): boolean => settled() || (this.submit(this.honest()[0]?.index ?? 0, name), false);
    if (!this.until(wanted, SETTLE_MS)) throw new Violation(`no progress in ${SETTLE_MS} ms after the scene`);
  }
}

export const placeOf = ({ ui: { key, counter } }: Message): Reference => ({ key, counter });
const describe = (body: Body): string =>
  `${body.kind} of view ${body.view}${'height' in body ? ` at ${body.height}` : ''}${'block' in body ? ` ${body.block.slice(0, 8)}` : ''}`;

export type Play = (scene: Scene) => void;
/** `liar`: which of the three lies; it leads the views that leave its index over, divided by three. */
export interface Script {
  readonly liar: number;
  readonly play: Play;
  /** More than one fault: nothing need go on after it. */
  readonly stops?: boolean;
}

/** What broke; undefined when the scene passes. */
export const perform = (
  { liar, play, stops }: Script,
  algorithm: Algorithm,
): { readonly failure?: string; readonly trace: readonly string[] } => {
  const scene = new Scene(algorithm, liar);
  try {
    play(scene);
    if (!stops) scene.close();
    return { trace: scene.trace };
  } catch (thrown) {
    const failure =
      thrown instanceof Violation ? thrown.message : thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { failure, trace: scene.trace };
  }
};
