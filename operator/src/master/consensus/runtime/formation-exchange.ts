/**
 * Runs the machine of formations (`formation-step.ts`; rule N9) over real ports: peers' words, disk, counter, clock. What it confirms is
 * on the disk before it says so, and from then on this master has left the formation before (`leave.ts`).
 */
import { counterAttestationFault, type Committee, type Genesis } from '@scs/protocol';
import { errorFields, type Logger } from '../../../kube/logger.ts';
import { DiskError } from '../../log/disk.ts';
import { signConfirmation, signStatement, type Statement } from '../formation.ts';
import {
  baseOf,
  type FormationCondition,
  type FormationEnv,
  formationOf,
  type FormationInput,
  type FormationOutput,
  formationState,
  type FormationState,
  formationStep,
  type FormationWire,
  type OpenFormation,
  runbookOf,
  type Standing,
  takesPart,
} from '../formation-step.ts';
import type { AgreementStore } from './agreement-store.ts';
import type { CounterPort } from './counter-port.ts';

export interface ExchangeOptions {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly committee: Committee;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly store: AgreementStore;
  readonly counter: Pick<CounterPort, 'attest' | 'renew'>;
  readonly broadcast: (wire: FormationWire) => void;
  readonly send: (to: number, wire: FormationWire) => void;
  readonly now: () => number;
  readonly logger: Logger;
  /** This master has confirmed the next formation: it decides nothing more in this one. */
  readonly onConfirmed: () => void;
  readonly onOpened: () => void;
  /** The disk can't be written: nothing more is said. */
  readonly onDiskFault: (error: DiskError) => void;
}

/** A peer's word is news for so long. */
const FRESH_MS = 4_000;

const sentence = (condition: FormationCondition): string => {
  switch (condition.code) {
    case 'MasterMissing':
      return `All three masters must be up for their counters to form a group, and ${condition.missing.join(' and ')} says nothing; until then this master is read-only.`;
    case 'DiskBlank':
      return `The disk of master ${condition.master} is blank, so what it promised is not known.`;
    case 'StatementInvalid':
      return `The statement of master ${condition.master} does not hold.`;
    case 'CounterTwice':
      return 'Two masters state the same counter.';
    case 'FormationPending':
      return 'Masters are telling each other what they decided; this takes seconds.';
  }
};

export class FormationExchange {
  readonly #o: ExchangeOptions;
  readonly #env: FormationEnv;
  #state: FormationState;
  /** One call of the counter at a time. */
  #asking = false;
  #failed = false;

  /** Reads what is stored. Throws RangeError when the stored formation does not hold. */
  constructor(options: ExchangeOptions) {
    this.#o = options;
    this.#env = this.#environment();
    const stored = options.store.opened();
    const opened = stored && formationOf(this.#env.group, stored);
    if (stored && !opened) throw new RangeError('the stored formation does not hold');
    this.#state = formationState(opened, options.store.confirmation());
  }

  #environment(): FormationEnv {
    const { genesis, genesisDigest, committee, index, seed, logger, store } = this.#o;
    return {
      index,
      group: { genesis: genesisDigest, generation: committee.generation, keys: committee.keys },
      freshMs: FRESH_MS,
      signStatement: (value) => {
        store.syncNow(); // whoever signs has persisted first
        return signStatement(seed, value);
      },
      signConfirmation: (value) => signConfirmation(seed, value),
      attested: ({ master, key, certified }, attestation) => {
        const identity = { genesis: genesisDigest, master, key, ...baseOf(genesisDigest, certified) };
        const bad = counterAttestationFault(attestation, identity, genesis, genesis.policy);
        if (bad) logger.warn({ peer: master, problem: bad.problem }, 'a counter is not attested; its statement is not taken');
        return bad === undefined;
      },
    };
  }

  formation(): OpenFormation | undefined {
    return this.#state.opened;
  }
  /** Whether this master speaks in the formation that is open, and reads its streams. */
  takesPart(): boolean {
    return takesPart(this.#state);
  }
  condition(): { readonly code: FormationCondition['code']; readonly message: string } | undefined {
    const { condition } = this.#state;
    return condition && { code: condition.code, message: `${sentence(condition)} See ${runbookOf(condition)}.` };
  }

  /** A peer's word. */
  take(from: number, wire: FormationWire): void {
    this.#step({ kind: 'wire', from, wire });
  }
  /** Every few hundred milliseconds. */
  tick(standing: Standing): void {
    if (standing.blank && standing.admitted) this.#write(() => this.#o.store.setAdmitted());
    this.#step({ kind: 'tick', now: this.#o.now(), standing });
  }

  #step(input: FormationInput): void {
    if (this.#failed) return;
    this.#write(() => {
      const { state, outputs } = formationStep(this.#env, this.#state, input);
      this.#state = state;
      for (const output of outputs) this.#carryOut(output);
    });
  }
  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#failed = true;
      this.#o.onDiskFault(error);
    }
  }
  #carryOut(output: FormationOutput): void {
    const { index, store, counter, broadcast, send, logger, onConfirmed, onOpened } = this.#o;
    switch (output.kind) {
      case 'store':
        store.setConfirmation(output.confirmation);
        return onConfirmed();
      case 'renew':
        return this.#ask(async () => void (await counter.renew(output.key)));
      case 'attest':
        return this.#ask(() => this.#attest(output.value));
      case 'broadcast':
        return broadcast(output.wire);
      case 'send':
        return send(output.to, output.wire);
      case 'opened': {
        const { number, base, proof, roster } = output.formation;
        if (!proof) return; // none is given to a running master
        store.open(proof, roster, roster[index]?.key === this.#state.own?.statement.value.key);
        logger.info({ formation: number, base: Number(base.height) }, 'the counters form a group');
        return onOpened();
      }
    }
  }

  async #attest(value: Statement): Promise<void> {
    const { height, block } = baseOf(this.#o.genesisDigest, value.certified);
    const attestation = await this.#o.counter.attest(value.key, height, block);
    this.#step({ kind: 'attested', value, attestation });
  }
  /** What fails is asked for again with the next tick. */
  #ask(work: () => Promise<void>): void {
    if (this.#asking) return;
    this.#asking = true;
    void work()
      .catch((error: unknown) => this.#o.logger.warn(errorFields(error), 'the counter gives no attestation now'))
      .finally(() => {
        this.#asking = false;
      });
  }
}
