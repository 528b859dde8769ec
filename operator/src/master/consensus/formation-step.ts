/**
 * Forming anew after too many counters died, and the first formation, as a pure machine (rule N9; docs/adr/0015). Two rounds, of
 * which `formation.ts` has the statements:
 *
 *   1. statement  number n: "My counter is K, my highest certified head is C, and above it I have decided nothing (or something)." Binds
 *                 nobody to anything. K has never counted and is on no roster, so whoever has stated can say no more in the one before.
 *   2. confirm    "These are the three statements that I open n with." Stored first. Whoever says this speaks and reads in no
 *                 formation below n any more, and confirms nothing at or below n again.
 *
 * Three equal confirmations open n. A master confirms only when all three have decided nothing above the one certified head that they
 * name. So no correct master has decided anything above the base in a formation below n, nor ever will: nothing has to be carried
 * over. When a statement changes (a counter died again), or somebody states a higher number, the next has a higher number; so nothing
 * that happens between the rounds locks the group. Certified blocks are taken from anybody, always.
 */
import type { Attestation, Certificate } from '@scs/protocol';
import {
  openFormation,
  setDigest,
  type Confirmation,
  type FormationFault,
  type Group,
  type Signed,
  type Statement,
  statementsFault,
} from './formation.ts';
import type { Reference } from './messages.ts';
import type { Roster } from './roster.ts';

/** Proof that a formation is open; anyone with the durable keys can check it, so one that was away is simply told. */
export interface Opened {
  readonly statements: readonly Signed<Statement>[];
  readonly confirmations: readonly Signed<Confirmation>[];
}
export interface OpenFormation {
  readonly number: number;
  /** Names it in every message of its counters. */
  readonly id: string;
  readonly roster: Roster;
  readonly base: { readonly height: bigint; readonly block: string };
  /** Absent for one that is given, not formed. */
  readonly proof?: Opened;
}
export type FormationWire<A = Attestation> =
  /** A hint: the formation that the sender is in (0: none), and whether its counter is admitted there. */
  | { readonly kind: 'hello'; readonly formation: number; readonly key: string; readonly admitted: boolean }
  | { readonly kind: 'statement'; readonly statement: Signed<Statement>; readonly attestation: A }
  | { readonly kind: 'confirmation'; readonly confirmation: Signed<Confirmation> }
  | { readonly kind: 'opened'; readonly opened: Opened };

/** How the agreement stands. */
export interface Standing {
  /** Key of this master's counter now. */
  readonly key: string;
  /** It has counted, or is about to, or may by the roster. A stream begins at 1, so no formation can open with it. */
  readonly used: boolean;
  /** It counts at the next height, and nothing keeps it silent. */
  readonly admitted: boolean;
  readonly certified: Certificate | null;
  /** Nothing is decided that isn't certified. */
  readonly quiet: boolean;
  /** Last message of the own stream; null when there is none. */
  readonly ended: Reference | null;
  /**
   * The disk was begun anew in a group that had begun, and no counter of this master was admitted since: what it promised before is
   * not known. That it has caught up with the blocks meanwhile changes nothing.
   */
  readonly blank: boolean;
}
export interface FormationEnv<A = Attestation> {
  readonly index: number;
  readonly group: Group;
  /** Age in milliseconds up to which a peer's word counts. */
  readonly freshMs: number;
  signStatement(value: Statement): Signed<Statement>;
  signConfirmation(value: Confirmation): Signed<Confirmation>;
  /** Whether the attestation binds the statement's counter key to its master and head. */
  attested(value: Statement, attestation: A): boolean;
}

/** Why there is no group of counters. Each code is a heading of docs/troubleshooting.md. */
export type FormationCondition =
  | { readonly code: 'MasterMissing'; readonly missing: readonly number[] }
  | { readonly code: 'DiskBlank'; readonly master: number }
  | { readonly code: 'StatementInvalid'; readonly master: number }
  | { readonly code: 'CounterTwice' }
  | { readonly code: 'FormationPending' };
/** Where an operator reads what to do. */
export const runbookOf = ({ code }: FormationCondition): string => `docs/troubleshooting.md#${code.toLowerCase()}`;

interface Heard<T> {
  readonly value: T;
  readonly at: number;
}
export interface FormationState<A = Attestation> {
  readonly now: number;
  readonly opened?: OpenFormation;
  /** The last one, stored: what was promised with it outlives a crash. */
  readonly confirmation?: Signed<Confirmation>;
  /** What this master states now. */
  readonly own?: { readonly statement: Signed<Statement>; readonly attestation: A };
  readonly hellos: ReadonlyMap<number, Heard<boolean>>;
  readonly statements: ReadonlyMap<number, Heard<Signed<Statement>>>;
  readonly confirmations: ReadonlyMap<number, Signed<Confirmation>>;
  readonly condition?: FormationCondition;
}
/** At the start of a process: with what was stored. */
export const formationState = <A>(opened?: OpenFormation, confirmation?: Signed<Confirmation>): FormationState<A> => ({
  now: 0,
  hellos: new Map(),
  statements: new Map(),
  confirmations: new Map(),
  ...(opened ? { opened } : {}),
  ...(confirmation ? { confirmation } : {}),
});
const openNumber = ({ opened }: FormationState<unknown>): number => opened?.number ?? 0;
const confirmedNumber = ({ confirmation }: FormationState<unknown>): number => confirmation?.value.formation ?? 0;
/** Whether this master speaks in the formation that is open, and reads its streams. */
export const takesPart = (state: FormationState<unknown>): boolean =>
  state.opened !== undefined && openNumber(state) >= confirmedNumber(state);

export type FormationInput<A = Attestation> =
  | { readonly kind: 'wire'; readonly from: number; readonly wire: FormationWire<A> }
  | { readonly kind: 'tick'; readonly now: number; readonly standing: Standing }
  | { readonly kind: 'attested'; readonly value: Statement; readonly attestation: A };
export type FormationOutput<A = Attestation> =
  /** Durable before anything after it; from here on `takesPart` is false until a formation opens. */
  | { readonly kind: 'store'; readonly confirmation: Signed<Confirmation> }
  /** The counter with this key makes way for another. It is asked again until the standing shows that. */
  | { readonly kind: 'renew'; readonly key: string }
  /** Answered by `attested`, or by nothing: it is asked again. */
  | { readonly kind: 'attest'; readonly value: Statement }
  | { readonly kind: 'broadcast'; readonly wire: FormationWire<A> }
  | { readonly kind: 'send'; readonly to: number; readonly wire: FormationWire<A> }
  /** To be stored, and the agreement begun anew in it. */
  | { readonly kind: 'opened'; readonly formation: OpenFormation };

interface Turn<A> {
  readonly env: FormationEnv<A>;
  state: FormationState<A>;
  readonly out: FormationOutput<A>[];
}
const set = <A>(turn: Turn<A>, change: Partial<FormationState<A>>): void => {
  turn.state = { ...turn.state, ...change };
};

/** No number at or below it will do for the next statement. */
const floorOf = (state: FormationState<unknown>): number => Math.max(openNumber(state), confirmedNumber(state));
/** A liar's number far above all others would leave nowhere to go. */
const JUMP_MOST = 1_000_000;
/** The base that a statement names. */
export const baseOf = (genesis: string, certified: Certificate | null): OpenFormation['base'] =>
  certified ? { height: certified.head.height, block: certified.head.block } : { height: 0n, block: genesis };
const sameBase = (a: OpenFormation['base'], b: OpenFormation['base']): boolean => a.height === b.height && a.block === b.block;

/** The formation that a proof opens; undefined when it opens none. */
export const formationOf = (group: Group, proof: Opened): OpenFormation | undefined => {
  const number = proof.statements[0]?.value.formation;
  const bases = proof.statements.map(({ value }) => baseOf(group.genesis, value.certified));
  const [base] = bases;
  if (number === undefined || !base || !bases.every((b) => sameBase(b, base))) return undefined;
  const result = openFormation(group, number, proof.statements, proof.confirmations, base.height);
  return result.ok ? { number, id: result.id, roster: result.roster, base, proof } : undefined;
};

const open = <A>(turn: Turn<A>, formation: OpenFormation): void => {
  if (formation.number <= openNumber(turn.state)) return;
  set(turn, { opened: formation, confirmations: new Map() });
  turn.out.push({ kind: 'opened', formation });
};

const takeStatement = <A>(turn: Turn<A>, from: number, statement: Signed<Statement>, attestation: A): void => {
  const { state, env } = turn;
  const { value } = statement;
  const known = state.statements.get(from);
  const jump = value.formation - floorOf(state);
  if (value.master !== from || value.formation <= openNumber(state) || jump > JUMP_MOST) return;
  // a lower number than lately is one that was overtaken on its way; later it is one whose master forgot the higher in a crash
  if (known && state.now - known.at <= env.freshMs && known.value.value.formation > value.formation) return;
  const isKnown = known?.value.signature === statement.signature && setDigest([known.value]) === setDigest([statement]);
  if (!isKnown && !env.attested(value, attestation)) return;
  set(turn, { statements: new Map(state.statements).set(from, { value: statement, at: state.now }) });
};

const takeWire = <A>(turn: Turn<A>, from: number, wire: FormationWire<A>): void => {
  const { state, env, out } = turn;
  switch (wire.kind) {
    case 'hello': {
      set(turn, { hellos: new Map(state.hellos).set(from, { value: wire.admitted, at: state.now }) });
      const proof = state.opened?.proof;
      if (proof && wire.formation < openNumber(state)) out.push({ kind: 'send', to: from, wire: { kind: 'opened', opened: proof } });
      return;
    }
    case 'statement':
      return takeStatement(turn, from, wire.statement, wire.attestation);
    case 'confirmation':
      if (wire.confirmation.value.master === from) set(turn, { confirmations: new Map(state.confirmations).set(from, wire.confirmation) });
      return;
    case 'opened': {
      if ((wire.opened.statements[0]?.value.formation ?? 0) <= openNumber(state)) return; // six signatures would be verified
      const formation = formationOf(env.group, wire.opened);
      if (formation) open(turn, formation);
    }
  }
};

const fresh = <A, T>({ env, state }: Turn<A>, map: ReadonlyMap<number, Heard<T>>): readonly T[] =>
  [...map.values()].filter(({ at }) => state.now - at <= env.freshMs).map(({ value }) => value);
const statementsNow = <A>(turn: Turn<A>): readonly Signed<Statement>[] =>
  fresh(turn, turn.state.statements).filter(({ value }) => value.formation > openNumber(turn.state));

/** At the start; later, when two counters are admitted nowhere. Whose own counter lives waits for both others' signed word. */
const isWanted = <A>(turn: Turn<A>, admitted: boolean): boolean => {
  const { state } = turn;
  const stated = statementsNow(turn).length;
  if (!takesPart(state)) return true;
  return admitted ? stated === 2 : stated > 0 || fresh(turn, state.hellos).includes(false);
};

const unchanged = (genesis: string, last: Statement, s: Standing): boolean =>
  last.key === s.key &&
  last.blank === s.blank &&
  last.quiet === s.quiet &&
  sameBase(baseOf(genesis, last.certified), baseOf(genesis, s.certified));

/** The three statements of the number that this master states, in order of master. */
const three = <A>(turn: Turn<A>): readonly Signed<Statement>[] => {
  const own = turn.state.own?.statement;
  if (!own) return [];
  const all = new Map(statementsNow(turn).map((s) => [s.value.master, s])).set(turn.env.index, own);
  return [0, 1, 2].flatMap((i) => {
    const statement = all.get(i);
    return statement?.value.formation === own.value.formation ? [statement] : [];
  });
};
/** What was confirmed is no longer what is stated: a counter died in between, and its master has forgotten what it stated before. */
const isStale = <A>(turn: Turn<A>): boolean => {
  const { own, confirmation } = turn.state;
  const statements = three(turn);
  if (statements.length < 3 || confirmation === undefined || confirmation.value.formation !== own?.statement.value.formation) return false;
  return setDigest(statements) !== confirmation.value.set;
};

/** What this master would state now: as before while nothing changed and nobody is ahead. */
const wanted = <A>(turn: Turn<A>, s: Standing): Statement => {
  const { state, env } = turn;
  const { genesis, generation } = env.group;
  const last = state.own?.statement.value;
  const ahead = statementsNow(turn).reduce((n, { value }) => Math.max(n, value.formation), 0);
  const holds = last !== undefined && last.formation >= ahead && last.formation > openNumber(state) && !isStale(turn);
  if (holds && unchanged(genesis, last, s)) return last;
  const formation = Math.max(ahead, floorOf(state) + 1, (last?.formation ?? 0) + (last && last.formation >= ahead ? 1 : 0));
  const { key, ended, certified, quiet, blank } = s;
  return { genesis, generation, formation, master: env.index, key, ended, certified, quiet, blank };
};
/** True when what this master has stated still holds. */
const state = <A>(turn: Turn<A>, standing: Standing): boolean => {
  if (standing.used) {
    turn.out.push({ kind: 'renew', key: standing.key });
    return false;
  }
  const value = wanted(turn, standing);
  const { own } = turn.state;
  const holds = own?.statement.value === value;
  turn.out.push(holds ? { kind: 'broadcast', wire: { kind: 'statement', ...own } } : { kind: 'attest', value });
  return holds;
};
const takeAttestation = <A>(turn: Turn<A>, value: Statement, attestation: A): void => {
  const { own } = turn.state;
  if (value.formation <= Math.max(floorOf(turn.state), own?.statement.value.formation ?? 0)) return;
  const statement = turn.env.signStatement(value);
  set(turn, { own: { statement, attestation } });
  turn.out.push({ kind: 'broadcast', wire: { kind: 'statement', statement, attestation } });
};

const conditionOf = (fault: FormationFault): FormationCondition =>
  fault.code === 'MasterMissing' || fault.code === 'NotConfirmed' ? { code: 'FormationPending' } : fault;

const confirm = <A>(turn: Turn<A>, standing: Standing): void => {
  const { env } = turn;
  const statements = three(turn);
  const formation = turn.state.own?.statement.value.formation;
  if (statements.length < 3 || formation === undefined) return;
  const fault = statementsFault(env.group, formation, statements);
  if (fault) return set(turn, { condition: conditionOf(fault) });
  set(turn, { condition: { code: 'FormationPending' } });
  if (confirmedNumber(turn.state) >= formation) return;
  const mine = baseOf(env.group.genesis, standing.certified);
  const agree = statements.every(({ value }) => value.quiet && sameBase(baseOf(env.group.genesis, value.certified), mine));
  if (!agree) return;
  const confirmation = env.signConfirmation({ formation, master: env.index, set: setDigest(statements) });
  turn.out.push({ kind: 'store', confirmation });
  set(turn, { confirmation });
};

const conclude = <A>(turn: Turn<A>): void => {
  const { confirmation, confirmations } = turn.state;
  if (!confirmation || takesPart(turn.state)) return;
  turn.out.push({ kind: 'broadcast', wire: { kind: 'confirmation', confirmation } });
  const all = new Map(confirmations).set(turn.env.index, confirmation);
  const formation = formationOf(turn.env.group, { statements: three(turn), confirmations: [...all.values()] });
  if (formation) open(turn, formation);
};

const missingNow = <A>({ env, state: { hellos, now } }: Turn<A>): readonly number[] =>
  [0, 1, 2].filter((i) => i !== env.index && now - (hellos.get(i)?.at ?? -Infinity) > env.freshMs);

const tick = <A>(turn: Turn<A>, standing: Standing): void => {
  const { condition: _, own, ...rest } = turn.state;
  turn.state = rest;
  const { key, admitted } = standing;
  turn.out.push({ kind: 'broadcast', wire: { kind: 'hello', formation: openNumber(rest), key, admitted } });
  // not wanted: nothing was confirmed, so what was stated opens nothing
  if (!isWanted(turn, admitted)) return;
  const missing = missingNow(turn);
  const condition: FormationCondition = missing.length > 0 ? { code: 'MasterMissing', missing } : { code: 'FormationPending' };
  set(turn, { condition, ...(own ? { own } : {}) });
  if (state(turn, standing)) confirm(turn, standing);
  conclude(turn);
};

export const formationStep = <A>(
  env: FormationEnv<A>,
  before: FormationState<A>,
  input: FormationInput<A>,
): { readonly state: FormationState<A>; readonly outputs: readonly FormationOutput<A>[] } => {
  const turn: Turn<A> = { env, state: input.kind === 'tick' ? { ...before, now: input.now } : before, out: [] };
  if (input.kind === 'wire') takeWire(turn, input.from, input.wire);
  else if (input.kind === 'tick') tick(turn, input.standing);
  else takeAttestation(turn, input.value, input.attestation);
  return { state: turn.state, outputs: turn.out };
};
