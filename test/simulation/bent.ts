/**
 * A master that lies: the real machine, with one rule or a few bent from some moment on, and all else rightly done (rule N1's one faulty
 * master). It has its own counter, which neither repeats nor skips, and its own durable key; nobody else's.
 */
import type { Message, Wire } from '@scs/operator/master/consensus/messages.ts';
import { bodyDigest } from '@scs/operator/master/consensus/messages.ts';
import type { Input, Intent, Output, State } from '@scs/operator/master/consensus/state.ts';
import type { Algorithm } from './algorithm.ts';
import type { Master } from './master.ts';
import type { Said } from './network.ts';
import { FORMATION, SimulatedCounter } from './trust.ts';

type Send = Extract<Output, { kind: 'send' }>;
/** What a lie may use. `victim`: the correct master that it would deceive, the other being the one it works with. */
export interface Means {
  readonly random: () => number;
  readonly self: Master;
  readonly victim: number;
  readonly past: readonly State[];
  /** A second counter of its own. */
  readonly second: SimulatedCounter;
  readonly overheard: readonly Wire[];
  /** Says a message of its own making with the counter it likes; its machine hears it too. */
  say(message: Omit<Message, 'ui'>, to: readonly number[], counter?: SimulatedCounter): void;
}
/** One rule, bent. Each part is optional: what it hears, remembers, is about to say, sends. */
export interface Lie {
  readonly name: string;
  readonly hears?: (input: Input, means: Means) => Input | undefined;
  readonly recalls?: (state: State, means: Means) => State;
  readonly says?: (intent: Intent, state: State, means: Means) => Intent;
  readonly sends?: (send: Send, state: State, means: Means) => readonly Output[];
  /** What it says on formations (N9); undefined for nothing. */
  readonly forms?: (to: number, wire: Said, means: Means) => Said | undefined;
}

const PAST_MOST = 12;
const OVERHEARD_MOST = 64;

export class Bent {
  readonly #lies: readonly Lie[];
  readonly #self: Master;
  readonly #send: (to: number, wire: Wire) => void;
  readonly #random: () => number;
  readonly #trace: (line: string) => void;
  readonly #count: (lie: string) => void;
  /** How often it lies when it could. */
  readonly #rate: number;
  #past: State[] = [];
  #overheard: Wire[] = [];
  #steps = 0;
  /** The lie that is being told. */
  #telling: Lie | undefined;
  readonly second: SimulatedCounter;
  victim: number;
  active = false;

  constructor(
    self: Master,
    lies: readonly Lie[],
    by: {
      random: () => number;
      rate: number;
      send: (to: number, wire: Wire) => void;
      trace: (line: string) => void;
      count: (lie: string) => void;
    },
  ) {
    this.#self = self;
    this.#lies = lies;
    this.#send = by.send;
    this.#random = by.random;
    this.#rate = by.rate;
    this.#trace = by.trace;
    this.#count = by.count;
    this.victim = (self.index + 1) % 3;
    this.second = new SimulatedCounter(`${self.index}/second`);
  }
  get index(): number {
    return this.#self.index;
  }
  get names(): string {
    return this.#lies.map(({ name }) => name).join(', ');
  }

  /** The machine underneath, with the lies around it. */
  around(machine: Algorithm): Algorithm {
    const { step } = machine;
    return {
      ...machine,
      step: (env, state, input) => {
        this.#remember(state, input);
        if (!this.active) return step(env, state, input);
        const heard = this.#fold((lie, value: Input | undefined) => (value && lie.hears ? lie.hears(value, this.#means()) : value), input);
        if (!heard) return { state, outputs: [] };
        const remembered = this.#fold((lie, value: State) => lie.recalls?.(value, this.#means()) ?? value, state);
        const next = step(env, unashamed(remembered, this.#self.counter), heard);
        return this.#twist(next.state, next.outputs);
      },
    };
  }
  /** What becomes of a message on formations. */
  forms(to: number, wire: Said): Said | undefined {
    if (!this.active) return wire;
    return this.#fold((lie, said: Said | undefined) => (said && lie.forms ? lie.forms(to, said, this.#means()) : said), wire);
  }
  #remember(state: State, input: Input): void {
    this.#steps += 1;
    if (this.#steps % 50 === 0) this.#past = [...this.#past, state].slice(-PAST_MOST);
    if (input.kind === 'message') this.#overheard = [...this.#overheard, input.wire].slice(-OVERHEARD_MOST);
  }
  #fold<T>(apply: (lie: Lie, value: T) => T, start: T): T {
    return this.#lies.reduce(
      (value, lie) => (this.#random() < this.#rate ? this.#tell(lie, value, () => apply(lie, value)) : value),
      start,
    );
  }
  /** Counts what makes a difference. */
  #tell<T>(lie: Lie, honest: T, told: () => T): T {
    this.#telling = lie;
    const value = told();
    if (value !== honest) this.#count(lie.name);
    return value;
  }
  #means(): Means {
    return {
      random: this.#random,
      self: this.#self,
      victim: this.victim,
      past: this.#past,
      second: this.second,
      overheard: this.#overheard,
      say: (message, to, counter) => this.#say(message, to, counter ?? this.#self.counter),
    };
  }
  #sent(lie: Lie, send: Send, state: State): readonly Output[] {
    this.#telling = lie;
    const outputs = lie.sends?.(send, state, this.#means()) ?? [send];
    if (outputs.length !== 1 || outputs[0] !== send) this.#count(lie.name);
    return outputs;
  }
  #say(message: Omit<Message, 'ui'>, to: readonly number[], counter: SimulatedCounter): void {
    const said: Message = { ...message, ui: counter.createUi(bodyDigest(FORMATION, message.body)) };
    const { body, ui } = said;
    if (this.#telling) this.#count(this.#telling.name);
    this.#trace(`liar says ${body.kind} ${body.view}${'height' in body ? `/${body.height}` : ''} @${ui.counter} to ${to.join(',')}`);
    for (const other of to) this.#send(other, { kind: 'stream', message: said });
  }

  #twist(state: State, outputs: readonly Output[]): { readonly state: State; readonly outputs: readonly Output[] } {
    let twisted = state;
    const out = outputs.flatMap((output): readonly Output[] => {
      if (output.kind === 'create-ui' && twisted.own.intent) {
        const honest = twisted.own.intent;
        const intent = this.#fold((lie, value: Intent) => lie.says?.(value, twisted, this.#means()) ?? value, honest);
        if (intent === honest) return [output];
        this.#trace(`liar would say ${honest.body.kind} and says ${intent.body.kind}, otherwise`);
        twisted = { ...twisted, own: { ...twisted.own, intent } };
        return [{ kind: 'create-ui', digest: bodyDigest(FORMATION, intent.body) }];
      }
      if (output.kind !== 'send') return [output];
      return this.#lies.reduce<readonly Output[]>(
        (sends, lie) =>
          sends.flatMap((send) =>
            send.kind === 'send' && lie.sends && this.#random() < this.#rate ? this.#sent(lie, send, twisted) : [send],
          ),
        [output],
      );
    });
    return { state: twisted, outputs: out };
  }
}

/** It goes on where a correct master would fall silent: its own stream ends where its counter stands, whatever it holds. */
const unashamed = (state: State, { key, last }: SimulatedCounter): State => {
  const { intent } = state.own;
  const stream = state.streams.get(state.own.key);
  const pending = intent !== undefined;
  const own = { key: state.own.key, ...(intent ? { intent } : {}) };
  if (!stream || state.own.key !== key || pending || (stream.fault === undefined && stream.next === last + 1)) return { ...state, own };
  const { fault: _, ...rest } = stream;
  return { ...state, own, streams: new Map(state.streams).set(key, { ...rest, next: last + 1 }) };
};
