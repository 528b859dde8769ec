/**
 * A long walk over the budget ledger (rule B5): reserve, commit, release (or expire), replenish, revoke, erase and upload again, repeat
 * after a crash, restore from a backup, in random order, beside a model that only lists charges. Seeded: the same steps every time.
 */
import {
  commitReservation,
  dropSubjects,
  emptyLedger,
  releaseReservation,
  replenish,
  reserve,
  type Ledger,
  type LedgerStep,
} from '../rules/ledger.ts';

/** A small generator of 32 bits (Marsaglia's xorshift): tests only. */
export const dice = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
};

interface Charge {
  readonly subject: string;
  readonly task: string;
  amount: bigint;
  state: 'reserved' | 'spent' | 'former' | 'gone';
}
type Step = (ledger: Ledger) => Ledger;

const LIMIT = 100n;
const PEOPLE = ['ann', 'bob', 'cem', 'dua', 'eve', 'fay'];
const TASKS = 24;
/** So many steps over one Vault, then a new one: lists stay short. */
const VAULT_STEPS = 200;

class Walk {
  readonly #roll: (below: number) => number;
  #ledger: Ledger = emptyLedger;
  #charges: Charge[] = [];
  readonly #asks = new Map<string, bigint>();
  /** Whose records are there, with consent. */
  #present = new Set(PEOPLE);
  #backup: Ledger = emptyLedger;
  #sinceBackup: Step[] = [];
  #last: Step = (ledger) => ledger;
  constructor(roll: (below: number) => number) {
    this.#roll = roll;
  }

  #sum(subject: string, state: Charge['state']): bigint {
    return this.#charges.reduce((sum, c) => (c.subject === subject && c.state === state ? sum + c.amount : sum), 0n);
  }
  #do(step: Step): void {
    this.#ledger = step(this.#ledger);
    this.#sinceBackup.push(step);
    this.#last = step;
  }
  #task(): string {
    return `t${this.#roll(TASKS)}`;
  }
  #reserved(task: string): readonly Charge[] {
    return this.#charges.filter((c) => c.task === task && c.state === 'reserved');
  }
  readonly #moves: readonly (() => void)[] = [
    () => {
      const [task, ask] = [this.#task(), BigInt(1 + this.#roll(45))];
      const candidates = PEOPLE.filter((subject) => this.#present.has(subject));
      this.#do((ledger) => reserve(ledger, task, ask, candidates, LIMIT));
      if (this.#asks.has(task)) return;
      this.#asks.set(task, ask);
      for (const subject of candidates)
        if (this.#sum(subject, 'reserved') + this.#sum(subject, 'spent') + ask <= LIMIT)
          this.#charges.push({ subject, task, amount: ask, state: 'reserved' });
    },
    () => {
      const [task, used] = [this.#task(), BigInt(this.#roll(46))];
      this.#do(kept((ledger) => commitReservation(ledger, task, used)));
      if (used > (this.#asks.get(task) ?? -1n)) return;
      for (const charge of this.#reserved(task)) [charge.amount, charge.state] = [used, 'spent'];
    },
    () => {
      const task = this.#task();
      this.#do(kept((ledger) => releaseReservation(ledger, task)));
      for (const charge of this.#reserved(task)) charge.state = 'gone';
    },
    () => {
      this.#do(replenish);
      for (const charge of this.#charges) if (charge.state === 'spent') charge.state = 'former';
    },
    () => {
      const subject = PEOPLE[this.#roll(PEOPLE.length)]!;
      const task = this.#task();
      this.#present.delete(subject);
      this.#do(kept((ledger) => dropSubjects(ledger, task, new Set([subject]))));
      for (const charge of this.#reserved(task)) if (charge.subject === subject) charge.state = 'gone';
    },
    // Uploaded or granted again: the account is the one it was.
    () => void this.#present.add(PEOPLE[this.#roll(PEOPLE.length)]!),
    // A crash after the step, before anybody heard of it: done again.
    () => void (this.#ledger = this.#last === replenish ? this.#ledger : this.#last(this.#ledger)),
    () => ([this.#backup, this.#sinceBackup] = [this.#ledger, []]),
    // The backup, caught up by the journal.
    () => void (this.#ledger = this.#sinceBackup.reduce((ledger, step) => step(ledger), this.#backup)),
  ];

  step(): void {
    this.#moves[[0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8][this.#roll(14)]!]!();
  }
  /** What is wrong; undefined when ledger and model agree and nobody is overspent. */
  fault(): string | undefined {
    for (const subject of PEOPLE) {
      const { reserved, spent } = this.#ledger.accounts.get(subject) ?? { reserved: 0n, spent: 0n };
      if (reserved < 0n || spent < 0n || reserved + spent > LIMIT)
        return `${subject} has ${reserved} reserved and ${spent} spent of ${LIMIT}`;
      if (reserved !== this.#sum(subject, 'reserved') || spent !== this.#sum(subject, 'spent')) return `${subject} differs from the model`;
    }
    return undefined;
  }
}
const kept =
  (step: (ledger: Ledger) => LedgerStep): Step =>
  (ledger) => {
    const next = step(ledger);
    return next.ok ? next.ledger : ledger;
  };

/** Throws at the first step after which ledger and model differ, or anybody is overspent. */
export const walkBudget = (steps: number, seed: number): void => {
  const roll = dice(seed);
  let walk = new Walk(roll);
  for (let step = 0; step < steps; step++) {
    if (step % VAULT_STEPS === 0) walk = new Walk(roll);
    walk.step();
    const fault = walk.fault();
    if (fault !== undefined) throw new Error(`step ${step} of seed ${seed}: ${fault}`);
  }
};
