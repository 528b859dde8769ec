/** What the agreement is given, and what it says of itself. */
import type { Genesis } from '@scs/protocol';
import type { Clock } from '../../../kube/clock.ts';
import type { Logger } from '../../../kube/logger.ts';
import type { Disk } from '../../log/disk.ts';
import type { Candidates, Witness } from '../../log/log.ts';
import type { DeferredWrites } from '../../log/waiting-writes.ts';
import type { Rules } from '../../log/rules-port.ts';
import { DEFAULT_LIMITS, type Limits } from '../environment.ts';
import type { State } from '../state.ts';
import type { AgreementStore } from './agreement-store.ts';
import type { CounterPort } from './counter-port.ts';
import type { PeerLink } from './peer-link.ts';

export interface MinbftOptions {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly rules: Rules;
  readonly disk: Disk & DeferredWrites;
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
export interface Agreement {
  readonly view: number;
  /** Number of the formation of counters; 0 before the first. */
  readonly formation: number;
  /** Key of this master's counter. */
  readonly counter: string;
  /** Height of the last decided block. */
  readonly decided: number;
  readonly machine: State | undefined;
}

/** Batches form by themselves while a message waits for its counter, so nothing is held back on purpose. */
export const RUNTIME_LIMITS: Limits = { ...DEFAULT_LIMITS, batchDelayMs: 0, batchCommands: 1_000 };
