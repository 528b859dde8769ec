/** What the state machine is given and never changes: pure functions and numbers. Clock, disk, network and counter are with the driver. */
import type { Block, Certificate, Head, State as Records, Vote } from '@scs/protocol';
import type { Rules } from '../log/rules-port.ts';
import type { Ui } from './messages.ts';
import type { Admission } from './roster.ts';

export interface Limits {
  /** Blocks that may be under way above the last certified one. */
  readonly window: number;
  /** Heights between checkpoints. */
  readonly checkpointEvery: number;
  /** Heights between snapshots of the state for those who fell behind; a multiple of `checkpointEvery`, at least four times that. */
  readonly snapshotEvery: number;
  /** Bytes of a snapshot's entries in one message; a single larger entry goes alone. */
  readonly partBytes: number;
  readonly batchCommands: number;
  readonly batchDelayMs: number;
  readonly poolCommands: number;
  /** How long a command may wait before this master asks for another primary. */
  readonly patienceMs: number;
  readonly statusEveryMs: number;
  /** Stream messages kept of one identity; a longer stream is refused. */
  readonly tailMessages: number;
  /** Messages held that came before those they need, of one identity. */
  readonly heldMessages: number;
}

export const DEFAULT_LIMITS: Limits = {
  window: 8,
  checkpointEvery: 64,
  snapshotEvery: 1024,
  partBytes: 256 * 1024,
  batchCommands: 400,
  batchDelayMs: 5,
  poolCommands: 4096,
  patienceMs: 600,
  statusEveryMs: 150,
  tailMessages: 4096,
  heldMessages: 256,
};

export interface Environment {
  readonly index: number;
  readonly genesis: string;
  readonly generation: bigint;
  /** Of the block after this head; undefined when none may follow. Blocks of before a recovery have another than today's (N9). */
  generationAfter(head: Head): bigint | undefined;
  /** The block that made this state is the last of its generation: nothing is offered on it (P5). Absent: none ever is. */
  ended?(records: Records): boolean;
  /** Digest that names this formation of counters (N9). */
  readonly formation: string;
  readonly limits: Limits;
  readonly rules: Rules;
  readonly holds: {
    ui(ui: Ui, digest: string): boolean;
    vote(head: Head, vote: Vote): boolean;
    certificate(certificate: Certificate): boolean;
  };
  /** Signs a decide vote with the durable key; called only for a head that was stored before (G4). */
  sign(head: Head): Vote;
  /** Counter identities that a block admits (N8). */
  admissions(block: Block, before: Records): readonly Admission[];
  /** Of each master, the last admission that this state knows of, and the height of its block. */
  admitted(records: Records): readonly (Admission & { readonly height: bigint })[];
}
