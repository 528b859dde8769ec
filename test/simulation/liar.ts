/**
 * A master that lies, with all the means of rule N1's one faulty master: its own counter (which neither repeats nor skips), its own
 * durable key, all it knows (here: everything), and some hold over who hears whom. It begins as a correct master whose messages
 * reach only whom it likes; later it says whatever it wants, each message still with a UI of its counter.
 */
import { blockDigest, encodeBlock, type Block, type Certificate, type Head } from '@scs/protocol';
import { decidedHeight, lastDecided, type Tip } from '@scs/operator/master/consensus/chain.ts';
import { bodyDigest, type Body, type Message, type Reference, type Wire } from '@scs/operator/master/consensus/messages.ts';
import { primaryOf } from '@scs/operator/master/consensus/read-stream.ts';
import { leadAt } from '@scs/operator/master/consensus/stream.ts';
import type { State } from '@scs/operator/master/consensus/state.ts';
import { toyCommand } from '@scs/operator/master/log/testing/toy-rules.ts';
import type { Master } from './master.ts';
import { FORMATION, GENESIS, type SimulatedCounter, signVote } from './trust.ts';

export interface Stage {
  readonly random: () => number;
  /** Delivers without asking the liar's own filter. */
  send(from: number, to: number, wire: Wire): void;
  master(index: number): Master;
  trace(line: string): void;
}
type Kind = Body['kind'] | Exclude<Wire['kind'], 'stream'>;
const kindOf = (wire: Wire): Kind => (wire.kind === 'stream' ? wire.message.body.kind : wire.kind);

interface Plot {
  readonly rich: number;
  readonly poor: number;
  readonly turnsAt: number;
  readonly covered: boolean;
}

export class Liar {
  readonly self: Master;
  /** Speaks by itself from now on. */
  raw = false;
  readonly #stage: Stage;
  readonly #withheld = new Map<number, ReadonlySet<Kind>>();
  readonly #said: Message[] = [];
  readonly #counters: SimulatedCounter[] = [];
  #votedTwice = new Map<bigint, { readonly head: Head; readonly to: Set<number> }>();
  #names = 0;
  /** The one thing it does wrong; without, it does anything. */
  #specialty: number | undefined;
  readonly #done = new Set<string>();
  #plot: Plot | undefined;

  constructor(self: Master, stage: Stage) {
    this.self = self;
    this.#stage = stage;
  }

  get victims(): readonly [number, number] {
    const [a, b] = [0, 1, 2].filter((i) => i !== this.self.index);
    return this.#stage.random() < 0.5 ? [a ?? 0, b ?? 0] : [b ?? 0, a ?? 0];
  }

  /** Which kinds of message a victim doesn't get from it. */
  chooseSilence(): void {
    const { random } = this.#stage;
    const kinds: readonly Kind[] = ['prepare', 'commit', 'view-change', 'new-view', 'checkpoint', 'vote', 'command', 'certified', 'status'];
    for (const victim of this.victims) this.#withheld.set(victim, new Set(kinds.filter(() => random() < 0.25)));
  }
  endSilence(): void {
    this.#withheld.clear();
  }
  /** The filter on what its machine would send. */
  passes(to: number, wire: Wire): boolean {
    return !this.#withheld.get(to)?.has(kindOf(wire));
  }

  /** From a correct master to one that says what it likes. The counter it has goes on. */
  turn(): void {
    this.raw = true;
    this.#counters.push(this.self.counter);
    const { state } = this.self;
    if (state) this.self.state = { ...state, own: { key: state.own.key, muted: 'turned' } };
    this.#stage.trace(`master ${this.self.index} begins to lie`);
  }
  /** A second enclave beside the first: both counters live (rule N2's doubled counter). */
  double(): void {
    this.self.loseCounter();
    this.#counters.push(this.self.counter);
  }

  #say(body: Body, to: readonly number[], bytes?: Uint8Array, counter = this.#counter()): Message {
    const ui = counter.createUi(bodyDigest(FORMATION, body));
    const message: Message = { body, ui, ...(bytes ? { bytes } : {}) };
    this.#said.push(message);
    this.self.take({ kind: 'message', from: this.self.index, wire: { kind: 'stream', message } });
    this.#stage.trace(
      `liar says ${body.kind} ${'view' in body ? body.view : ''}${'height' in body ? `/${body.height}` : ''} @${ui.counter} to ${to.join(',')}`,
    );
    for (const victim of to) this.#stage.send(this.self.index, victim, { kind: 'stream', message });
    return message;
  }
  #counter(): SimulatedCounter {
    const { random } = this.#stage;
    return this.#counters[Math.floor(random() * this.#counters.length)] ?? this.self.counter;
  }
  #some(): readonly number[] {
    const [a, b] = this.victims;
    return this.#stage.random() < 0.4 ? [a, b] : [a];
  }

  #block(parent: Tip, name: string): { readonly bytes: Uint8Array; readonly digest: string } {
    const time = Math.max(parent.time, this.self.now());
    const height = parent.head.height + 1n;
    const block: Block = {
      height,
      generation: 0n,
      parent: parent.head.block,
      time,
      proposer: this.self.index,
      commands: [toyCommand(name)],
    };
    return { bytes: encodeBlock(block), digest: blockDigest(block) };
  }
  #name(): string {
    this.#names += 1;
    const kind = this.#stage.random();
    return `${kind < 0.15 ? 'lie' : kind < 0.3 ? 'bad' : 'x'}${this.#names}`;
  }

  /**
   * A plot: two masters don't hear each other; first it decides with the one, then it covers that up and decides with the other. What
   * stands against it is that the other reads its stream without holes.
   */
  plot(rich: number, poor: number, turnsAt: number): void {
    this.#plot = { rich, poor, turnsAt, covered: false };
    this.#stage.trace(`liar plots: first with ${rich}, then with ${poor}`);
  }
  endPlot(): void {
    this.#plot = undefined;
  }
  #further(plot: Plot): void {
    const { random } = this.#stage;
    const { rich, poor } = plot;
    const first = this.self.now() < plot.turnsAt;
    const state = this.#stage.master(first ? rich : poor).state;
    if (!state) return;
    if (first) return random() < 0.5 ? this.#agree(state, rich, rich) : this.#lead(state, rich);
    if (!plot.covered || random() < 0.1) {
      this.#plot = { ...plot, covered: true };
      if (random() < 0.7) this.#cover(state, poor);
      this.#changeView(state, poor, poor);
      return;
    }
    if (random() < 0.3) return this.#openView(state, poor);
    if (random() < 0.3) return this.#lead(state, poor);
    this.#agree(state, poor, poor);
  }
  /** Offers a block, true for once, in the view that it leads. */
  #lead(state: State, ...victims: readonly number[]): void {
    const lead = [...state.streams.values()].find((s) => s.master === this.self.index && s.lead?.view === state.view)?.lead;
    const tip = lastDecided(state.chain);
    if (!lead) return;
    const block = this.#block(tip, `x${this.self.index}${(this.#names += 1)}`);
    const height = tip.head.height + 1n;
    this.#say({ kind: 'prepare', view: state.view, height, block: block.digest }, victims, block.bytes);
    for (const victim of victims) this.#sendVote(tip.head, victim);
  }
  /** Something in its stream that would outweigh or hide what it did before. */
  #cover(state: State, poor: number): void {
    const kind = this.#stage.random();
    if (kind < 0.3) return this.#checkpoint(state, poor, poor);
    const tip = lastDecided(state.chain);
    const height = tip.head.height + 1n;
    const block = this.#block(tip, `x${this.self.index}${(this.#names += 1)}`);
    const view = kind < 0.6 ? state.view : state.view + 3;
    const { ui } = this.#say({ kind: 'prepare', view, height, block: block.digest }, [poor], block.bytes);
    if (kind > 0.8) this.#say({ kind: 'commit', view, height, block: block.digest, prepare: { key: ui.key, counter: ui.counter } }, [poor]);
  }

  /** An illegal message ends its stream; so some liars do one wrong thing only, and all else as they should. */
  specialize(): void {
    this.#specialty = Math.floor(this.#stage.random() * 5);
    this.#stage.trace(
      `liar specializes in ${['deciding alone', 'false views', 'usurping', 'going back', 'untrue blocks'][this.#specialty] ?? ''}`,
    );
  }
  #almostHonest(specialty: number): void {
    const [poor, rich] = this.victims;
    const state = this.#stage.master(poor).state;
    if (!state || !this.self.state) return;
    const { random } = this.#stage;
    const own = [...state.streams.values()].find((s) => s.master === this.self.index);
    const tip = lastDecided(state.chain);
    const height = tip.head.height + 1n;
    const leads = own?.lead?.view === state.view && own.lead.next === height;
    const mine = primaryOf(state.view) === this.self.index;
    if (mine && !leads && own?.lead?.view !== state.view && state.view > 0) {
      if (own && own.view < state.view)
        return this.#once(`v${state.view}`, () => this.#say({ kind: 'view-change', view: state.view }, [poor, rich]));
      return specialty === 1 ? this.#openView(state, poor) : this.#once(`n${state.view}`, () => this.#openRightly(state, [poor, rich]));
    }
    if (random() < 0.3) {
      if (specialty === 0 && leads) return this.#solo(state, poor);
      if (specialty === 2 && own?.lead?.next === height && !leads) return this.#usurp(state, poor, rich);
      if (specialty === 3) return this.#retreat(state, poor, rich);
      if (specialty === 4 && leads) return this.#prepare(state, poor, rich);
    }
    if (leads && random() < 0.7) return this.#once(`p${state.view}/${height}`, () => this.#lead(state, poor, rich));
    if (random() < 0.1) return this.#changeView(state, poor, rich);
    if (!mine) this.#once(`c${state.view}/${height}`, () => this.#agree(state, poor, rich));
  }
  #once(what: string, act: () => void): void {
    if (this.#done.has(what)) return;
    this.#done.add(what);
    act();
  }
  #openRightly(state: State, to: readonly number[]): void {
    const quorum = [...state.streams.values()].flatMap((s): Reference[] => {
      const change = s.changes.get(state.view);
      return change ? [{ key: s.key, counter: change.counter }] : [];
    });
    const [a, b] = quorum;
    if (a && b) this.#say({ kind: 'new-view', view: state.view, base: state.chain.certified.certificate ?? null, quorum: [a, b] }, to);
  }
  /** Goes on preparing where it once led, in a view that it does not lead. */
  #usurp(state: State, poor: number, rich: number): void {
    const tip = lastDecided(state.chain);
    const block = this.#block(tip, `x${this.self.index}${(this.#names += 1)}`);
    this.#say({ kind: 'prepare', view: state.view, height: tip.head.height + 1n, block: block.digest }, [poor, rich], block.bytes);
  }

  /** One thing that it does to a victim, as seen from that victim's state. */
  act(): void {
    if (this.#specialty !== undefined) return this.#almostHonest(this.#specialty);
    if (this.#plot && this.self.state) return this.#further(this.#plot);
    const [rich, poor] = this.victims;
    const state = this.#stage.master(poor).state;
    if (!state || !this.self.state) return;
    const { random } = this.#stage;
    const kind = random() < 0.7 ? Math.floor(random() * 4) : 4 + Math.floor(random() * 8);
    this.#do(kind, state, poor, rich);
  }

  #do(kind: number, state: State, poor: number, rich: number): void {
    if (kind === 0) return this.#prepare(state, poor, rich);
    if (kind === 1) return this.#agree(state, poor, rich);
    if (kind === 2) return this.#changeView(state, poor, rich);
    if (kind === 3) return this.#openView(state, poor);
    if (kind === 4) return this.#retreat(state, poor, rich);
    if (kind === 5) return this.#checkpoint(state, poor, rich);
    if (kind === 6) return this.#twice(state, poor, rich);
    if (kind === 7) return this.#certify(state, poor);
    if (kind === 8) return this.#forge(state, poor);
    if (kind === 9) return this.#replay(poor);
    if (kind === 10) return this.#solo(state, poor);
    this.#dangle(state, poor);
  }

  /** Another block to each, in the view that it leads. */
  #prepare(state: State, poor: number, rich: number): void {
    const lead = [...state.streams.values()].find((s) => s.master === this.self.index && s.lead?.view === state.view)?.lead;
    if (!lead) return;
    const tip = lastDecided(state.chain);
    if (tip.head.height + 1n !== lead.next && this.#stage.random() < 0.8) return;
    const { view } = lead;
    const height = tip.head.height + 1n;
    const both = this.#stage.random() < 0.3;
    const first = this.#block(tip, this.#name());
    const message = this.#say({ kind: 'prepare', view, height, block: first.digest }, both ? [poor, rich] : [poor], first.bytes);
    if (both) return;
    const second = this.#block(tip, this.#name());
    if (this.#stage.random() < 0.5) this.#say({ kind: 'prepare', view, height, block: second.digest }, [rich], second.bytes);
    else this.#sendForged(rich, { ...message, body: { kind: 'prepare', view, height, block: second.digest }, bytes: second.bytes });
  }
  #sendForged(to: number, message: Message): void {
    this.#stage.trace(`liar forges ${message.body.kind} @${message.ui.counter} to ${to}`);
    this.#stage.send(this.self.index, to, { kind: 'stream', message });
  }

  /** Commits whatever the victim prepared, and lets only the victim know. */
  #agree(state: State, poor: number, rich: number): void {
    for (const leader of state.streams.values()) {
      if (leader.master === this.self.index || leader.lead?.view !== state.view) continue;
      for (const [counter, { view, height, block }] of leader.prepares) {
        if (height <= decidedHeight(state.chain) || view !== state.view) continue;
        const to = this.#stage.random() < 0.7 ? [poor] : [poor, rich];
        this.#say({ kind: 'commit', view, height, block, prepare: { key: leader.key, counter } }, to);
        this.#castVote(state, height, poor);
        return;
      }
    }
  }
  /** Its durable key goes along, so that what the victim decides is certified. */
  #castVote(state: State, height: bigint, to: number): void {
    const tip = state.chain.decided.find((t) => t.head.height === height);
    if (tip) this.#sendVote(tip.head, to);
  }
  #sendVote(head: Head, to: number): void {
    this.#stage.send(this.self.index, to, { kind: 'vote', head, vote: signVote(this.self.index, head) });
  }

  #changeView(state: State, poor: number, rich: number): void {
    const view = state.view + 1;
    for (const to of [poor, rich]) this.#stage.send(this.self.index, to, { kind: 'request-view', view });
    if (this.#stage.random() < 0.6) this.#say({ kind: 'view-change', view }, this.#some());
  }

  /** Opens its view rightly, or on view changes that don't carry it. */
  #openView(state: State, poor: number): void {
    const { random } = this.#stage;
    const view = primaryOf(state.view) === this.self.index ? state.view : state.view + 1;
    if (primaryOf(view) !== this.self.index) return;
    const references = [...state.streams.values()].flatMap((s): Reference[] => {
      const change = s.changes.get(view);
      return change ? [{ key: s.key, counter: change.counter }] : [{ key: s.key, counter: Math.max(1, s.next - 1) }];
    });
    const pick = (): Reference => references[Math.floor(random() * references.length)] ?? { key: this.self.counter.key, counter: 1 };
    const base: Certificate | null = random() < 0.8 ? (state.chain.certified.certificate ?? null) : null;
    const own = this.#said.findLast((m) => m.body.kind === 'view-change' && m.body.view === view);
    const first = own && random() < 0.6 ? { key: own.ui.key, counter: own.ui.counter } : pick();
    this.#say({ kind: 'new-view', view, base, quorum: [first, random() < 0.3 ? first : pick()] }, [poor]);
    const tip = random() < 0.5 ? lastDecided(state.chain) : state.chain.certified;
    const block = this.#block(tip, this.#name());
    this.#say({ kind: 'prepare', view, height: tip.head.height + 1n, block: block.digest }, [poor], block.bytes);
  }

  /** Leaves a view for the one, goes on in it for the other. */
  #retreat(state: State, poor: number, rich: number): void {
    this.#say({ kind: 'view-change', view: state.view + 1 }, [poor, rich]);
    this.#agree(state, poor, poor);
  }
  /** A checkpoint again or out of order, with all its own streams vouched for. */
  #checkpoint(state: State, poor: number, rich: number): void {
    const marks = [...state.chain.marks.values()];
    const certificate = marks[Math.floor(this.#stage.random() * marks.length)];
    if (!certificate) return;
    const seen = [...state.streams.values()].map((s) => ({ key: s.key, counter: s.next }));
    const stream = [...state.streams.values()].find((s) => s.master === this.self.index);
    const view = stream?.view ?? state.view;
    this.#say(
      {
        kind: 'checkpoint',
        view,
        height: certificate.head.height,
        certificate,
        lead: stream ? leadAt(stream, certificate.head.height) : null,
        seen,
      },
      this.#stage.random() < 0.5 ? [poor] : [poor, rich],
    );
  }
  /** Two decide votes at a height, each to another. */
  #twice(state: State, poor: number, rich: number): void {
    const tip = lastDecided(state.chain);
    if (tip.head.height === 0n) return;
    const other = { ...tip.head, block: 'ee'.repeat(32) };
    this.#sendVote(tip.head, rich);
    this.#sendVote(other, poor);
    this.#votedTwice.set(tip.head.height, { head: other, to: new Set([poor, rich]) });
  }
  /** A certificate with one vote, with the same vote twice, or with a made-up one. */
  #certify(state: State, poor: number): void {
    const tip = state.chain.certified;
    const block = this.#block(tip, this.#name());
    const height = tip.head.height + 1n;
    const head: Head = { genesis: GENESIS, generation: 0n, height, stateRoot: 'dd'.repeat(32), block: block.digest };
    const known = state.evaluated.get(block.digest);
    const vote = signVote(this.self.index, known?.ok ? known.tip.head : head);
    const made = { master: (this.self.index + 1) % 3, signature: '00'.repeat(64) };
    const kind = this.#stage.random();
    const votes = kind < 0.3 ? [vote] : kind < 0.6 ? [vote, vote] : [vote, made].toSorted((a, b) => a.master - b.master);
    this.#stage.send(this.self.index, poor, { kind: 'certified', bytes: block.bytes, certificate: { head, votes } });
  }
  #forge(state: State, poor: number): void {
    const message = this.#said.at(-1);
    if (message) this.#sendForged(poor, { ...message, ui: { ...message.ui, counter: message.ui.counter + 1 } });
    const other = [...state.streams.values()].find((s) => s.master !== this.self.index);
    if (!message || !other) return;
    this.#sendForged(poor, { ...message, ui: { key: other.key, counter: other.next, signature: message.ui.signature } });
  }
  #replay(poor: number): void {
    const message = this.#said[Math.floor(this.#stage.random() * this.#said.length)];
    if (message) this.#sendForged(poor, message);
  }
  /** Decides alone: prepares and commits itself. */
  #solo(state: State, poor: number): void {
    const tip = lastDecided(state.chain);
    const block = this.#block(tip, this.#name());
    const height = tip.head.height + 1n;
    const counter = this.#counter();
    const { view } = state;
    const prepare = this.#say({ kind: 'prepare', view, height, block: block.digest }, [poor], block.bytes, counter);
    this.#say(
      { kind: 'commit', view, height, block: block.digest, prepare: { key: prepare.ui.key, counter: prepare.ui.counter } },
      [poor],
      undefined,
      counter,
    );
  }
  /** Commits what nobody prepared. */
  #dangle(state: State, poor: number): void {
    const leader = [...state.streams.values()].find((s) => s.master !== this.self.index && s.lead?.view === state.view);
    const known = [...state.blocks].at(-1);
    if (!leader || !known) return;
    const prepare = { key: leader.key, counter: Math.max(1, leader.next - 1) };
    this.#say({ kind: 'commit', view: state.view, height: decidedHeight(state.chain) + 1n, block: known[0], prepare }, [poor]);
  }

  /** Heights at which two correct masters were each sent one of two votes. */
  equivocations(): number {
    return this.#votedTwice.size;
  }
}
