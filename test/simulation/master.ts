/** Drives one master's state machine: its disk, its counter, its clock, its reading of the world. It can die between any two outputs. */
import { decodeBlock, encodeCommand, hex, type Command } from '@scs/protocol';
import { decidedHeight, type Tip } from '@scs/operator/master/consensus/chain.ts';
import type { Environment, Limits } from '@scs/operator/master/consensus/environment.ts';
import {
  type FormationInput,
  type FormationOutput,
  type FormationState,
  formationState,
  type Standing,
  takesPart,
} from '@scs/operator/master/consensus/formation-step.ts';
import type { Roster } from '@scs/operator/master/consensus/roster.ts';
import { standingOf } from '@scs/operator/master/consensus/standing.ts';
import { type Input, othersOf, type Output, type State, type Stored } from '@scs/operator/master/consensus/state.ts';
import { appliedIn, nameOf, toyRules } from '@scs/operator/master/log/testing/toy-rules.ts';
import type { Algorithm } from './algorithm.ts';
import type { Clockwork } from './clockwork.ts';
import { SimulatedDisk } from './disk.ts';
import { chainFrom, formationEnv, given } from './forming.ts';
import { type Invariants, Violation } from './invariants.ts';
import type { Said } from './network.ts';
import { certificateHolds, counterKey, FORMATION, GENESIS, SimulatedCounter, signVote, uiHolds, voteHolds } from './trust.ts';

export const LIMITS: Limits = {
  window: 4,
  checkpointEvery: 8,
  snapshotEvery: 32,
  partBytes: 200,
  batchCommands: 3,
  batchDelayMs: 2,
  poolCommands: 256,
  patienceMs: 250,
  statusEveryMs: 100,
  tailMessages: 512,
  heldMessages: 64,
};
export const TICK_MS = 40;
/** Ticks between a master's words on formations. */
const FORMATION_TICKS = 10;
const CLOCK_BOUND_MS = 5_000;
const BLOCKS_A_PAGE = 16;

export const baseTip = (): Tip => {
  const records = toyRules.initial();
  const head = { genesis: GENESIS, generation: 0n, height: 0n, stateRoot: hex(records.root()), block: GENESIS };
  return { head, bytes: new Uint8Array(), time: 0, records };
};

/** Stands for the command of rule N8, and fits into a uid; that the attestation is good is for the judge. */
export const admissionOf = (master: number, counter: SimulatedCounter): string => `admit-${master}-${counter.name}`;
export const admissionIn = (command: Command): { master: number; key: string } | undefined => admissionNamed(nameOf(command));
const admissionNamed = (name: string): { master: number; key: string } | undefined => {
  const parts = /^admit-(\d)-(.+)$/.exec(name);
  return parts ? { master: Number(parts[1]), key: counterKey(parts[2] ?? '') } : undefined;
};
/** Of each master, the last admission that took effect in the formation on this base. */
const admittedSince = (base: bigint, records: State['chain']['certified']['records']): ReturnType<Environment['admitted']> => {
  const last = new Map<number, { master: number; key: string; height: bigint }>();
  for (const { name, height } of appliedIn(records).toSorted((a, b) => Number(a.height - b.height))) {
    const admission = admissionNamed(name);
    const before = admission && last.get(admission.master);
    if (admission && height > base && (!before || before.height + BigInt(LIMITS.window) < height))
      last.set(admission.master, { ...admission, height });
  }
  return [...last.values()];
};

export interface World {
  algorithm(): Algorithm;
  readonly clockwork: Clockwork;
  readonly random: () => number;
  readonly invariants: Invariants;
  readonly roster: Roster;
  send(from: number, to: number, wire: Said): void;
  trace(line: string): void;
  /** Something happened that a run is to be told of. */
  count(what: string): void;
  isHonest(master: number): boolean;
  /** Whether this key is that of a counter made for this master: what attestation and durable key prove. */
  isCounterOf(key: string, master: number): boolean;
  madeCounter(counter: SimulatedCounter, master: number): void;
}

export class Master {
  readonly index: number;
  env: Environment;
  formation: FormationState<string>;
  readonly disk = new SimulatedDisk();
  counter: SimulatedCounter;
  state: State | undefined;
  skewMs = 0;
  /** Outputs until the next crash. */
  fuse = Infinity;
  readonly #world: World;
  /** Counts its starts: what it knew in memory is gone with each. */
  life = 0;
  #counters = 0;
  #ticks = 0;

  constructor(index: number, world: World, counter: SimulatedCounter) {
    this.index = index;
    this.#world = world;
    this.counter = counter;
    this.formation = formationState(given(world.roster));
    this.env = {
      index,
      genesis: GENESIS,
      generation: 0n,
      generationAfter: () => 0n,
      formation: FORMATION,
      limits: LIMITS,
      rules: toyRules,
      holds: { ui: uiHolds, vote: voteHolds, certificate: certificateHolds },
      sign: (head) => signVote(index, head),
      admissions: (block) => block.commands.flatMap((c) => admissionIn(c) ?? []),
      admitted: (records) => admittedSince((this.formation.opened ?? given(world.roster)).base.height, records),
    };
  }

  /** Its clock as it reads it, in whole milliseconds. */
  now(): number {
    return Math.max(0, Math.floor(this.#world.clockwork.now + this.skewMs));
  }

  start(): void {
    if (this.state) return;
    if (this.disk.isCorrupt) this.#replaceDisk();
    this.life += 1;
    this.formation = formationState(this.disk.opened() ?? given(this.#world.roster), this.disk.confirmation());
    this.#begin();
    this.#tick(this.life);
  }
  /** Takes up the agreement in the formation that is open. */
  #begin(): void {
    const opened = this.formation.opened ?? given(this.#world.roster);
    const { counter } = this;
    this.env = { ...this.env, formation: opened.id };
    const start = this.disk.snapshot() ?? baseTip();
    const chain = chainFrom(this.env, start, this.disk.blocks(start.head.height + 1n, Infinity), opened, this.disk.floor());
    const remembered = this.disk.remembered({ ...start, head: { ...start.head, ...opened.base } }, opened.roster, chain);
    const back = this.#world.algorithm().recover(this.env, remembered, { key: counter.key, last: counter.last }, this.now());
    this.state = takesPart(this.formation) ? back.state : this.#world.algorithm().leave(back.state);
    this.#carryOut(back.outputs);
  }

  /** The runbook of DiskCorrupt: a blank volume, and with it a new counter. */
  #replaceDisk(): void {
    this.#world.count('corrupt disk replaced');
    this.disk.erase();
    this.loseCounter();
  }
  crash(): void {
    if (!this.state) return;
    this.state = undefined;
    this.fuse = Infinity;
    if (this.disk.crash(Math.floor(this.#world.random() * 4))) this.#world.count('unsynced writes lost');
    this.#world.trace(`master ${this.index} dies`);
  }

  /** The enclave is gone, and with it key and value; another one starts, which nobody has admitted. */
  loseCounter(): void {
    this.#counters += 1;
    this.counter = new SimulatedCounter(`${this.index}/${this.#counters}`);
    this.#world.madeCounter(this.counter, this.index);
  }

  /** Whatever a peer says. */
  hear(from: number, wire: Said): void {
    if (!this.state) return;
    if (wire.kind === 'hello' || wire.kind === 'statement' || wire.kind === 'confirmation' || wire.kind === 'opened')
      return this.#form({ kind: 'wire', from, wire });
    this.take({ kind: 'message', from, wire });
  }
  #standing(state: State): Standing {
    const { counter, disk } = this;
    const voted = disk.vote(state.chain.certified.head.height + 1n) !== undefined;
    return standingOf(state, this.index, counter, { blank: disk.lost, voted });
  }
  #form(input: FormationInput<string>): void {
    const env = formationEnv(this.index, (key, master) => this.#world.isCounterOf(key, master));
    const { state, outputs } = this.#world.algorithm().formationStep(env, this.formation, input);
    if (state.condition?.code !== this.formation.condition?.code && state.condition)
      this.#world.trace(`master ${this.index}: ${state.condition.code}`);
    this.formation = state;
    for (const output of outputs) {
      if (!this.state) return;
      this.fuse -= 1;
      if (this.fuse <= 0) return this.crash();
      this.#formed(output);
    }
  }
  #formed(output: FormationOutput<string>): void {
    switch (output.kind) {
      case 'store':
        this.disk.confirm(output.confirmation);
        this.#world.trace(`master ${this.index} confirms formation ${output.confirmation.value.formation}`);
        if (this.state) this.state = this.#world.algorithm().leave(this.state);
        return;
      case 'renew':
        if (output.key === this.counter.key) this.loseCounter();
        return;
      case 'attest': {
        const { value } = output;
        const { key } = this.counter;
        if (key === value.key) this.#soon(2, () => this.#form({ kind: 'attested', value, attestation: key }));
        return;
      }
      case 'broadcast':
        for (const to of othersOf(this.index)) this.#world.send(this.index, to, output.wire);
        return;
      case 'send':
        return this.#world.send(this.index, output.to, output.wire);
      case 'opened':
        this.disk.open(output.formation);
        this.#world.count('formed anew');
        this.#world.trace(`master ${this.index} opens formation ${output.formation.number} at ${output.formation.base.height}`);
        return this.#begin();
    }
  }

  take(input: Input): void {
    if (!this.state) return;
    const next = this.#world.algorithm().step(this.env, this.state, input);
    this.state = next.state;
    this.#carryOut(next.outputs);
  }
  submit(command: Command): void {
    this.take({ kind: 'command', bytes: encodeCommand(command) });
  }

  #soon(ms: number, act: () => void): void {
    const life = this.life;
    this.#world.clockwork.after(ms, () => {
      if (life === this.life && this.state) act();
    });
  }
  #later(ms: number, input: () => Input): void {
    this.#soon(ms, () => this.take(input()));
  }
  #tick(life: number): void {
    this.#world.clockwork.after(TICK_MS, () => {
      if (life !== this.life || !this.state) return;
      this.take({ kind: 'tick', now: this.now() });
      this.#ticks += 1;
      if (this.state && this.#standing(this.state).admitted) this.disk.lost = false;
      if (this.#ticks % FORMATION_TICKS === 0 && this.state)
        this.#form({ kind: 'tick', now: this.#world.clockwork.now, standing: this.#standing(this.state) });
      this.#tick(life);
    });
  }

  #carryOut(outputs: readonly Output[]): void {
    for (const output of outputs) {
      if (!this.state) return;
      this.fuse -= 1;
      if (this.fuse <= 0) return this.crash();
      if (output.kind !== 'store') this.disk.sync();
      this.#one(output);
    }
  }

  #one(output: Output): void {
    const { random } = this.#world;
    const invariants = this.#world.isHonest(this.index) ? this.#world.invariants : undefined;
    switch (output.kind) {
      case 'store':
        if (output.record.kind === 'vote') invariants?.voted(this.index, output.record.head, this.disk.vote(output.record.head.height));
        if (output.record.kind === 'snapshot') this.#world.count('snapshot taken');
        if (this.#isAhead(output.record)) this.#world.count('prepared before the last was decided');
        return this.disk.store(output.record);
      case 'send':
        return this.#world.send(this.index, output.to, output.wire);
      case 'send-blocks':
        for (const { bytes, certificate } of this.disk.blocks(output.from, BLOCKS_A_PAGE))
          this.#world.send(this.index, output.to, { kind: 'certified', bytes, certificate });
        return;
      case 'create-ui': {
        const { counter } = this;
        // the counter that it spoke with is gone
        if (counter.key !== this.state?.own.key) return;
        const ui = counter.createUi(output.digest);
        return this.#later(random() * 2, () => ({ kind: 'ui', ui }));
      }
      case 'judge':
        return this.#later(random() * 3, () => ({ kind: 'judged', block: output.block, ...this.#judge(output.bytes, output.again) }));
      case 'decided':
        if (this.state) this.disk.prune(this.state.chain);
        this.#world.trace(`master ${this.index} has ${output.tip.head.height} certified: ${output.tip.head.block.slice(0, 8)}`);
        return invariants?.certified(this.index, output.tip.bytes, output.certificate);
      case 'evidence':
        return invariants?.evidence(output.first, output.second);
      case 'condition':
        this.#world.trace(`master ${this.index}: ${output.code}: ${output.message}`);
        if (output.code === 'CounterAhead' && !this.disk.tampered && invariants)
          throw new Violation(`master ${this.index} lost its identity in a crash: ${output.message}`);
        return invariants?.condition(this.index, output.code, output.message);
      case 'refused':
        return;
    }
  }

  #isAhead(record: Stored): boolean {
    if (!this.state || record.kind !== 'intent' || record.intent.body.kind !== 'prepare') return false;
    return record.intent.body.height > decidedHeight(this.state.chain) + 1n;
  }

  /** T5's bound on first proposals, and what is true in the world. */
  #judge(bytes: Uint8Array, again: boolean): { readonly fits: boolean; readonly command?: number } {
    const block = decodeBlock(bytes);
    const ahead = block.time - this.now();
    if (ahead > CLOCK_BOUND_MS || (!again && -ahead > CLOCK_BOUND_MS)) return { fits: false };
    const command = block.commands.findIndex((c) => {
      const admission = admissionIn(c);
      return admission ? !this.#world.isCounterOf(admission.key, admission.master) : nameOf(c).startsWith('lie');
    });
    return command < 0 ? { fits: true } : { fits: false, command };
  }
}
