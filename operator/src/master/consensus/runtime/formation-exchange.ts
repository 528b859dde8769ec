/**
 * Forms a group of counters at the start, and forms it anew after too many of them died (rule N9; docs/adr/0015), in the two rounds of
 * `formation.ts`. Whoever has stated says nothing more in the formation before, but goes on reading and voting for what was decided
 * there. So a master confirms only when
 *   - it has read all three streams up to where their masters say they ended,
 *   - everything that it has decided is certified, and
 *   - all three statements name that same certified head: the base of the new formation.
 * From then on it has left the formation before (leave.ts): a message that a liar kept back must not have it decide above the base.
 * Whatever any correct master ever decided is then at or below the base, and a formation opens with nothing to carry over.
 */
import { counterAttestationFault, type Attestation, type Certificate, type Genesis } from '@scs/protocol';
import { errorFields, type Logger } from '../../../kube/logger.ts';
import {
  mayConfirm,
  openFormation,
  setDigest,
  signConfirmation,
  signStatement,
  statementsFault,
  type Confirmation,
  type Signed,
  type Statement,
} from '../formation.ts';
import type { Reference } from '../messages.ts';
import type { Roster } from '../roster.ts';
import type { AgreementStore } from './agreement-store.ts';
import type { FormationWire, Opened } from './formation-wire.ts';

/** How the agreement stands, as the exchange must know it. */
export interface Standing {
  /** Key of this master's counter now, and whether the roster admits it. */
  readonly key: string;
  readonly admitted: boolean;
  readonly certified: Certificate | null;
  /** Nothing is decided that isn't certified. */
  readonly quiet: boolean;
  /** Last message of this master's stream; null before the first formation. */
  readonly ended: Reference | null;
  /** Whether the stream was read up to there. */
  readonly hasRead: (reference: Reference) => boolean;
}
export interface ExchangeOptions {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly generation: bigint;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly store: AgreementStore;
  readonly standing: () => Standing;
  /** Key of a counter that has given out nothing yet: the one there is, or another in its place. A stream begins with value 1. */
  readonly freshKey: () => Promise<string>;
  readonly attest: (key: string, height: bigint, block: string) => Promise<Attestation>;
  readonly broadcast: (wire: FormationWire) => void;
  readonly send: (to: number, wire: FormationWire) => void;
  readonly now: () => number;
  readonly logger: Logger;
  /** This master has stated: its stream ends. */
  readonly onStated: () => void;
  /** This master has confirmed the next formation: it decides nothing more in this one. */
  readonly onConfirmed: () => void;
  readonly onOpened: (formation: Formation) => void;
}
export interface Formation {
  readonly number: number;
  /** Names it in every message of its counters. */
  readonly id: string;
  readonly roster: Roster;
  readonly base: { readonly height: bigint; readonly block: string };
}
/** Why there is no group of counters; each is a heading of docs/troubleshooting.md. */
export type FormationCondition = {
  readonly code: 'MasterMissing' | 'DiskBlank' | 'FormationPending' | 'StatementInvalid' | 'CounterTwice';
  readonly message: string;
};

interface Hello {
  readonly formation: number;
  readonly admitted: boolean;
  readonly at: number;
}
/** A hello is news for so long. */
const FRESH_MS = 4_000;

const baseOf = (certified: Certificate | null, genesis: string): Formation['base'] =>
  certified ? { height: certified.head.height, block: certified.head.block } : { height: 0n, block: genesis };
const same = (a: unknown, b: unknown): boolean =>
  JSON.stringify(a, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)) ===
  JSON.stringify(b, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));

export class FormationExchange {
  readonly #o: ExchangeOptions;
  readonly #hellos = new Map<number, Hello>();
  readonly #statements = new Map<number, { readonly statement: Signed<Statement>; readonly at: number }>();
  readonly #confirmations = new Map<number, Signed<Confirmation>>();
  #opened: { readonly proof: Opened; readonly formation: Formation } | undefined;
  /** The attestation is gone with a restart when the counter is another by now. */
  #own: { readonly statement: Signed<Statement>; readonly attestation?: Attestation } | undefined;
  #condition: FormationCondition | undefined;
  #stating = false;

  /** Reads what is stored. Throws RangeError when the stored formation does not hold. */
  constructor(options: ExchangeOptions) {
    this.#o = options;
    const stored = options.store.opened();
    const formation = stored && this.#verify(stored);
    if (stored && !formation) throw new RangeError('the stored formation does not hold');
    if (stored && formation) this.#opened = { proof: stored, formation };
  }

  formation(): Formation | undefined {
    return this.#opened?.formation;
  }
  condition(): FormationCondition | undefined {
    return this.#condition;
  }
  /** Whether this master has promised to say nothing more in the formation that is open. */
  hasStated(): boolean {
    const stated = this.#o.store.statement();
    return stated !== undefined && stated.value.formation > this.#number();
  }
  /** Whether this master has confirmed the formation after the one that is open, and so left that. */
  hasConfirmed(): boolean {
    return (this.#o.store.confirmation()?.value.formation ?? 0) > this.#number();
  }
  #number(): number {
    return this.#opened?.formation.number ?? 0;
  }

  #group() {
    const { genesis, genesisDigest, generation } = this.#o;
    return { genesis: genesisDigest, generation, keys: genesis.masters.map((m) => m.publicKey) };
  }
  #verify({ statements, confirmations }: Opened): Formation | undefined {
    const [first] = statements;
    if (!first) return undefined;
    const base = baseOf(first.value.certified, this.#o.genesisDigest);
    const heads = statements.map((s) => baseOf(s.value.certified, this.#o.genesisDigest));
    if (heads.some((head) => !same(head, base))) return undefined;
    const result = openFormation(this.#group(), first.value.formation, statements, confirmations, base.height);
    return result.ok ? { number: first.value.formation, id: result.id, roster: result.roster, base } : undefined;
  }

  /** A peer's word. */
  take(from: number, wire: FormationWire): void {
    switch (wire.kind) {
      case 'hello':
        this.#hellos.set(from, { formation: wire.formation, admitted: wire.admitted, at: this.#o.now() });
        if (this.#opened && wire.formation < this.#number()) this.#o.send(from, { kind: 'opened', opened: this.#opened.proof });
        return;
      case 'statement':
        return this.#takeStatement(from, wire.statement, wire.attestation);
      case 'confirmation':
        if (wire.confirmation.value.master === from) this.#confirmations.set(from, wire.confirmation);
        return;
      case 'opened': {
        const formation = this.#verify(wire.opened);
        if (formation && formation.number > this.#number()) this.#open(wire.opened, formation);
      }
    }
  }

  #takeStatement(from: number, statement: Signed<Statement>, attestation: Attestation): void {
    const { value } = statement;
    const { genesis, genesisDigest, logger } = this.#o;
    if (value.master !== from || value.formation <= this.#number()) return;
    if (same(this.#statements.get(from)?.statement, statement)) return void this.#statements.set(from, { statement, at: this.#o.now() });
    const { height, block } = baseOf(value.certified, genesisDigest);
    const identity = { genesis: genesisDigest, master: from, key: value.key, height, block };
    const bad = counterAttestationFault(attestation, identity, genesis, genesis.policy);
    if (bad) return logger.warn({ peer: from, problem: bad.problem }, 'a counter is not attested; its statement is not taken');
    this.#statements.set(from, { statement, at: this.#o.now() });
  }

  /** Every few hundred milliseconds. */
  tick(): void {
    const { standing, broadcast } = this.#o;
    const { key, admitted } = standing();
    broadcast({ kind: 'hello', formation: this.#number(), key, admitted });
    this.#condition = undefined;
    if (!this.#isWanted(admitted)) {
      this.#withdraw();
      return;
    }
    void this.#state().catch((error: unknown) => this.#o.logger.warn(errorFields(error), 'the counter gives no attestation now'));
    this.#confirm();
    this.#conclude();
  }

  /** Others' statements that they still stand by. */
  #statementsNow(): readonly Signed<Statement>[] {
    const now = this.#o.now();
    return [...this.#statements.values()].filter(({ at }) => now - at <= FRESH_MS).map(({ statement }) => statement);
  }
  #fresh(): readonly Hello[] {
    const now = this.#o.now();
    return [...this.#hellos.values()].filter(({ at }) => now - at <= FRESH_MS);
  }
  /** At the start; later when two counters at least are admitted nowhere. Whose own is alive waits for both others' signed word. */
  #isWanted(admitted: boolean): boolean {
    const next = this.#number() + 1;
    const stated = this.#statementsNow().filter(({ value }) => value.formation === next).length;
    const dead = this.#fresh().filter((h) => !h.admitted).length;
    const wanted =
      !this.#opened || (admitted ? stated === 2 : dead > 0 || stated > 0 || this.#o.store.confirmation()?.value.formation === next);
    if (!wanted) return false;
    if (this.#fresh().length < 2)
      this.#condition = {
        code: 'MasterMissing',
        message: 'All three masters must be up for their counters to form a group; until then this master is read-only.',
      };
    return true;
  }
  /** Not confirmed, so nobody can have opened anything on it. */
  #withdraw(): void {
    if (!this.#own || this.#o.store.confirmation()?.value.formation === this.#own.statement.value.formation) return;
    this.#own = undefined;
    this.#o.store.setStatement(undefined);
  }

  async #state(): Promise<void> {
    const { genesisDigest, generation, index, seed, store, standing, attest, broadcast, onStated } = this.#o;
    const { key: present, certified, ended } = standing();
    const formation = this.#number() + 1;
    const confirmed = store.confirmation()?.value.formation === formation;
    const key = confirmed || this.#own?.statement.value.key === present ? present : await this.#o.freshKey();
    const value: Statement = { genesis: genesisDigest, generation, formation, master: index, key, ended, certified, blank: store.blank() };
    if (!this.#stating && !confirmed && !same(this.#own?.statement.value, value)) {
      this.#stating = true;
      try {
        const base = baseOf(certified, genesisDigest);
        const attestation = await attest(key, base.height, base.block);
        if (this.#number() + 1 !== formation) return; // told meanwhile that it is open: nothing is left to state
        const statement = signStatement(seed, value);
        store.setStatement(statement);
        this.#own = { statement, attestation };
        onStated();
      } finally {
        this.#stating = false;
      }
    }
    if (confirmed) await this.#recall(key);
    if (this.#own?.attestation) broadcast({ kind: 'statement', statement: this.#own.statement, attestation: this.#own.attestation });
    const confirmation = store.confirmation();
    if (confirmation?.value.formation === formation) broadcast({ kind: 'confirmation', confirmation });
  }

  /** After a restart, what was stated and confirmed before it. */
  async #recall(key: string): Promise<void> {
    const statement = this.#own ? undefined : this.#o.store.statement();
    if (!statement) return;
    const base = baseOf(statement.value.certified, this.#o.genesisDigest);
    const alive = statement.value.key === key;
    this.#own = { statement, ...(alive ? { attestation: await this.#o.attest(key, base.height, base.block) } : {}) };
  }

  #three(): readonly Signed<Statement>[] {
    const next = this.#number() + 1;
    const all = new Map(this.#statementsNow().map((statement) => [statement.value.master, statement]));
    if (this.#own) all.set(this.#o.index, this.#own.statement);
    return [0, 1, 2].flatMap((i) => {
      const statement = all.get(i);
      return statement?.value.formation === next ? [statement] : [];
    });
  }

  #confirm(): void {
    const { store, standing, seed, index, genesisDigest } = this.#o;
    const three = this.#three();
    const formation = this.#number() + 1;
    if (three.length < 3) return;
    const fault = statementsFault(this.#group(), formation, three);
    if (fault) return this.#blocked(fault.code, 'master' in fault ? fault.master : undefined);
    const now = standing();
    const mine = baseOf(now.certified, genesisDigest);
    const ready =
      now.quiet &&
      three.every(({ value }) => same(baseOf(value.certified, genesisDigest), mine) && (value.ended === null || now.hasRead(value.ended)));
    if (!ready) return this.#blocked('FormationPending', undefined);
    const wanted: Confirmation = { formation, master: index, set: setDigest(three) };
    const stored = store.confirmation();
    if (!mayConfirm(stored?.value, wanted)) return this.#blocked('FormationPending', undefined);
    if (stored?.value.formation === formation) return;
    store.setConfirmation(signConfirmation(seed, wanted));
    this.#o.onConfirmed();
  }
  #blocked(code: string, master: number | undefined): void {
    if (code === 'DiskBlank')
      this.#condition = {
        code,
        message: `The disk of master ${master ?? '?'} is blank, so what it promised is not known. Follow docs/troubleshooting.md.`,
      };
    else if (code === 'StatementInvalid' || code === 'CounterTwice')
      this.#condition = { code, message: `The statement of master ${master ?? '?'} does not hold.` };
    else this.#condition = { code: 'FormationPending', message: 'Masters are telling each other what they decided; this takes seconds.' };
  }

  #conclude(): void {
    const { store, index } = this.#o;
    const own = store.confirmation();
    const statements = this.#three();
    if (!own || statements.length < 3) return;
    const confirmations = [0, 1, 2].flatMap((i) => {
      const confirmation = i === index ? own : this.#confirmations.get(i);
      return confirmation ? [confirmation] : [];
    });
    const proof: Opened = { statements, confirmations };
    const formation = this.#verify(proof);
    if (formation) this.#open(proof, formation);
  }

  #open(proof: Opened, formation: Formation): void {
    const { store, onOpened, logger } = this.#o;
    store.open(proof, formation.roster);
    store.setStatement(undefined);
    this.#opened = { proof, formation };
    this.#own = undefined;
    this.#statements.clear();
    this.#confirmations.clear();
    logger.info({ formation: formation.number, base: Number(formation.base.height) }, 'the counters form a group');
    onOpened(formation);
  }
}
