/**
 * One seed, one run: three masters, a stretch of bad weather and worse luck, then peace. During it nothing wrong may be decided; after
 * it, with at most one master faulty, everything submitted must be (rules N1, N7).
 */
import type { Command } from '@scs/protocol';
import type { Roster } from '@scs/operator/master/consensus/roster.ts';
import { seeded } from '@scs/operator/master/log/testing/random.ts';
import { toyCommand } from '@scs/operator/master/log/testing/toy-rules.ts';
import { genuine, type Algorithm } from './algorithm.ts';
import { Bent, type Lie } from './bent.ts';
import { Clockwork } from './clockwork.ts';
import { Equivocations } from './equivocations.ts';
import { Invariants, Violation } from './invariants.ts';
import { lies } from './lies.ts';
import { admissionOf, Master, type World } from './master.ts';
import { Network, type Said } from './network.ts';
import { SimulatedCounter } from './trust.ts';

export interface Outcome {
  readonly seed: number;
  readonly failure?: string;
  readonly trace: readonly string[];
  readonly height: bigint;
  readonly views: number;
  readonly faults: Readonly<Record<string, number>>;
}
const CHAOS_MS = 6_000;
const PEACE_MS = 60_000;
/** Of peace, where nothing need go on. */
const STOPPED_MS = 5_000;
const TRACE_LINES = 400;

export class Run {
  readonly clockwork = new Clockwork();
  readonly random: () => number;
  readonly network: Network;
  readonly invariants: Invariants;
  readonly masters: readonly Master[];
  readonly trace: string[] = [];
  readonly faults: Record<string, number> = {};
  readonly equivocations = new Equivocations();
  liar: Bent | undefined;
  powerLost = false;
  readonly #owners = new Map<string, number>();
  #names = 0;
  readonly #wanted: string[] = [];

  constructor(seed: number, algorithm: Algorithm) {
    this.random = seeded(seed);
    this.network = new Network(this.clockwork, this.random, (from, to, wire) => this.#deliver(from, to, wire));
    this.invariants = new Invariants((master) => this.isHonest(master));
    const counters = [0, 1, 2].map((i) => new SimulatedCounter(`${i}/0`));
    for (const [index, { key }] of counters.entries()) this.#owners.set(key, index);
    const roster: Roster = counters.map(({ key }, master) => ({ master, key, from: 1n }));
    const world = (index: number): World => ({
      algorithm: () => (this.liar?.index === index ? this.liar.around(algorithm) : algorithm),
      clockwork: this.clockwork,
      random: this.random,
      invariants: this.invariants,
      roster,
      send: (from, to, wire) => {
        const said = this.liar?.index === from ? this.liar.forms(to, wire) : wire;
        if (said) this.network.send(from, to, said);
      },
      trace: (line) => this.note(line),
      count: (what) => this.count(what),
      isHonest: (master) => this.isHonest(master),
      isCounterOf: (key, master) => this.#owners.get(key) === master,
      madeCounter: (counter, master) => this.#owners.set(counter.key, master),
    });
    this.masters = counters.map((counter, index) => new Master(index, world(index), counter));
  }

  note(line: string): void {
    this.trace.push(`${String(Math.floor(this.clockwork.now)).padStart(6)} ms  ${line}`);
    if (this.trace.length > TRACE_LINES) this.trace.shift();
  }
  isHonest(master: number): boolean {
    return this.liar?.index !== master;
  }
  honest(): readonly Master[] {
    return this.masters.filter((m) => this.isHonest(m.index));
  }
  master(index: number): Master {
    const master = this.masters[index];
    if (!master) throw new RangeError(`no master ${index}`);
    return master;
  }
  count(fault: string): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
  }

  becomeLiar(index: number, chosen: readonly Lie[], rate: number): void {
    const by = {
      random: this.random,
      rate,
      send: (to: number, wire: Said) => this.network.send(index, to, wire),
      trace: (line: string) => this.note(line),
      count: (lie: string) => this.count(`lie: ${lie}`),
    };
    this.liar = new Bent(this.master(index), chosen, by);
    this.#owners.set(this.liar.second.key, index);
  }
  beginToLie(liar: Bent): void {
    liar.active = true;
    this.note(`master ${liar.index} begins to lie: ${liar.names}`);
    if (this.random() < 0.5) this.submitEverywhere(toyCommand(admissionOf(liar.index, liar.second)));
  }

  #deliver(from: number, to: number, wire: Said): void {
    if (wire.kind === 'vote' && this.isHonest(to)) this.equivocations.delivered(this.master(to), wire.head, wire.vote);
    this.master(to).hear(from, wire);
  }

  submit(): void {
    const live = this.honest().filter((m) => m.state);
    const at = live[Math.floor(this.random() * live.length)];
    if (at) this.submitTo(at.index);
  }
  submitTo(index: number): void {
    this.#names += 1;
    const lie = this.random() < 0.05;
    const name = lie ? `lie${this.#names}` : `c${this.#names}`;
    if (!lie) this.#wanted.push(name);
    this.master(index).submit(toyCommand(name));
  }
  /** A client goes on until its command is decided. */
  resubmit(): void {
    for (const name of this.#missing().slice(0, 8)) for (const master of this.honest()) master.submit(toyCommand(name));
  }
  #missing(): readonly string[] {
    return this.#wanted.filter((name) => !this.invariants.commands.has(name));
  }
  /** A master with a counter that nobody knows asks to be admitted (N8). */
  askAdmission(): void {
    for (const master of this.honest()) {
      const { state } = master;
      if (state?.own.muted !== undefined && !state.left) this.#replaceCounter(master);
      else if (state && !state.chain.roster.some((i) => i.key === master.counter.key)) this.submitEverywhere(this.admission(master));
    }
  }
  admission(master: Master): Command {
    return toyCommand(admissionOf(master.index, master.counter));
  }
  submitEverywhere(command: Command): void {
    for (const master of this.honest()) master.submit(command);
  }
  #replaceCounter(master: Master): void {
    master.loseCounter();
    master.crash();
    master.start();
  }

  /** Everything decided is everywhere, with the same state. */
  #settled(): boolean {
    if (this.equivocations.provable().some((offence) => !this.invariants.proved.has(offence))) return false;
    const honest = this.honest();
    const tips = honest.map((m) => m.state?.chain.certified);
    const [first] = tips;
    if (!first || this.#missing().length > 0) return false;
    return tips.every((t) => t?.head.height === first.head.height && t.head.stateRoot === first.head.stateRoot);
  }

  peace(): void {
    this.note('peace');
    this.network.heal();
    for (const master of this.honest()) {
      master.fuse = Infinity;
      master.skewMs = 0;
      master.start();
    }
    for (let until = this.clockwork.now + PEACE_MS; this.clockwork.now < until;) {
      this.askAdmission();
      this.resubmit();
      this.clockwork.until(this.clockwork.now + 250);
      if (this.#settled()) return;
      if (this.powerLost && this.liar && this.clockwork.now > until - PEACE_MS + STOPPED_MS) return;
    }
    const states = this.masters.map((m) => m.state && `${m.index}: view ${m.state.view} certified ${m.state.chain.certified.head.height}`);
    const unproved = this.equivocations.provable().filter((offence) => !this.invariants.proved.has(offence));
    if (unproved.length > 0) throw new Violation(`votes twice without evidence: ${unproved.join(', ')}`);
    throw new Violation(`no progress in ${PEACE_MS} ms of peace: ${this.#missing().length} commands missing; ${states.join('; ')}`);
  }
}

/** Masters die with their counters: fewer than two are left of the formation, and all three must form anew (N9). */
const powerLoss = (run: Run, masters: readonly Master[]): void => {
  run.count(`${masters.length} counters lost at once`);
  run.powerLost = true;
  for (const master of masters) {
    master.loseCounter();
    master.crash();
  }
};

/** Restores an old disk, loses a counter, loses a disk with it: each makes the one faulty master of the run. */
const misfortune = (run: Run): (() => void) => {
  const { random } = run;
  const master = run.master(Math.floor(random() * 3));
  const kind = Math.floor(random() * 7);
  if (kind === 0) return () => (run.count('counter lost'), master.loseCounter(), master.crash());
  if (kind === 1) return () => (run.count('disk lost'), master.loseCounter(), master.crash(), master.disk.erase());
  if (kind === 2) return () => powerLoss(run, run.masters);
  if (kind === 3)
    return () =>
      powerLoss(
        run,
        run.masters.filter((m) => m !== master),
      );
  if (kind === 5) return () => (run.count('disk corrupt'), master.crash(), master.disk.corrupt());
  if (kind === 6) return () => (run.count('clock far off'), void (master.skewMs = 6_000 + random() * 4_000));
  const old = master.disk.copy();
  return () => (run.count('old disk'), master.crash(), master.disk.restore(old));
};

const weather = (run: Run): void => {
  const { random, network } = run;
  const kind = Math.floor(random() * 4);
  run.count(['calm', 'loss', 'delay', 'partition'][kind] ?? '');
  network.heal();
  if (kind === 1) Object.assign(network.weather, { lossRate: 0.05 + random() * 0.3, repeatRate: 0.2 });
  if (kind === 2) Object.assign(network.weather, { delayMs: 20 + random() * 300, lossRate: 0.02 });
  if (kind === 3) {
    const away = Math.floor(random() * 3);
    run.note(`master ${away} hears less`);
    network.separate(away, (away + 1) % 3);
    if (random() < 0.5) network.separate(away, (away + 2) % 3);
  }
};

const crashes = (run: Run): void => {
  const { random } = run;
  const victim = run.master(Math.floor(random() * 3));
  if (!run.isHonest(victim.index)) return;
  run.count('crash');
  victim.fuse = 1 + Math.floor(random() * 40);
  run.clockwork.after(100 + random() * 900, () => {
    victim.crash();
    victim.start();
  });
};

/** The two correct masters are kept apart for a while: the liar alone hears both, and chooses whom it deceives. */
const plot = (run: Run): void => {
  const { liar, network, clockwork, random } = run;
  if (!liar?.active) return;
  run.count('plot');
  const [a = 0, b = 0] = run.honest().map(({ index }) => index);
  liar.victim = random() < 0.5 ? a : b;
  network.heal();
  network.separate(a, b);
  for (let i = 0; i < 15; i += 1) {
    if (random() < 0.6) run.submitTo(random() < 0.5 ? a : b);
    if (random() < 0.1) liar.victim = liar.victim === a ? b : a;
    clockwork.until(clockwork.now + 20 + random() * 60);
  }
  network.heal();
};

const chooseLies = (random: () => number): readonly Lie[] => {
  const count = 1 + Math.floor(random() * 3);
  return Array.from({ length: count }, () => lies[Math.floor(random() * lies.length)]).flatMap((lie) => lie ?? []);
};
const RATES = [1, 0.4, 0.1, 0.03] as const;

const chaos = (run: Run, hostile: boolean): void => {
  const { random, clockwork } = run;
  const lying = hostile || random() < 0.6;
  if (lying) run.becomeLiar(Math.floor(random() * 3), chooseLies(random), RATES[Math.floor(random() * RATES.length)] ?? 1);
  for (const master of run.masters) {
    master.skewMs = random() < 0.3 ? random() * 800 : 0;
    if (master.skewMs > 0) run.count('clock skew');
    master.start();
  }
  const liesFrom = random() * CHAOS_MS * (hostile ? 0.1 : 0.8);
  const bad = lying ? undefined : random() < 0.6 ? 500 + random() * 4_000 : undefined;
  // beside a liar two dead counters are three faults: nothing may go wrong, but nothing need go on
  if (lying && random() < 0.25)
    clockwork.after(1_000 + random() * 4_000, () => powerLoss(run, random() < 0.5 ? run.masters : run.honest()));
  if (bad !== undefined) clockwork.after(bad * 0.5, () => clockwork.after(bad * 0.5, misfortune(run)));
  while (clockwork.now < CHAOS_MS) {
    if (random() < 0.25) weather(run);
    if (random() < 0.12) crashes(run);
    if (random() < (hostile ? 0.6 : 0.2)) plot(run);
    if (run.liar && !run.liar.active && clockwork.now > liesFrom) run.beginToLie(run.liar);
    for (let i = 0; i < 6; i += 1) {
      if (random() < 0.5) run.submit();
      clockwork.until(clockwork.now + 10 + random() * 40);
    }
    run.askAdmission();
    for (const master of run.masters) if (!master.state && random() < 0.3) master.start();
  }
};

/** `hostile`: a liar from early on that plots again and again. */
export const simulate = (seed: number, algorithm: Algorithm = genuine, hostile = false): Outcome => {
  const run = new Run(seed, algorithm);
  const outcome = (failure?: string): Outcome => ({
    seed,
    ...(failure === undefined ? {} : { failure }),
    trace: run.trace,
    height: [...run.invariants.heads.keys()].reduce((a, b) => (b > a ? b : a), 0n),
    views: Math.max(...run.masters.map((m) => m.state?.view ?? 0)),
    faults: run.faults,
  });
  try {
    chaos(run, hostile);
    run.peace();
    return outcome();
  } catch (thrown) {
    if (thrown instanceof Violation) return outcome(thrown.message);
    return outcome(thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack ?? ''}` : String(thrown));
  }
};
