/** What the lines of `verify` share: the input, and what decodes from it, each once. */
import {
  decodeBatch,
  decodeEnvelope,
  equalBytes,
  encodeCanonical,
  committeeOf,
  fromHex,
  genesisDigest,
  type Batch,
  type Committee,
  type Genesis,
  type Task,
  type TaskEnvelope,
  type TaskRecord,
  type TaskResult,
  type VaultPart,
} from '@scs/protocol';
import type { RuleContext } from '@scs/protocol/rules/context.ts';
import type { Bundle } from '../bundle.ts';
import type { SettledBatch } from '../chain/ledger.ts';
import { decodeTaskRecord } from './task-record.ts';

/** What the chain's node says, read by the caller. */
export interface ChainFacts {
  readonly chainId: number;
  /** Hex of the genesis digest that the contracts were initialised with. */
  readonly genesis: string;
  /** undefined when the contract has not accepted the batch. */
  readonly batch: SettledBatch | undefined;
  /** undefined when the node doesn't know it (any more): the contract's own record is what counts. */
  readonly transaction: { readonly success: boolean; readonly version: string } | undefined;
}
/** What came of opening the sealed result with the submitter's key. */
export type Opening =
  | { readonly kind: 'opened'; readonly result: TaskResult }
  /** The key is the one in the task, and still it did not open. */
  | { readonly kind: 'failed'; readonly problem: string }
  | { readonly kind: 'skipped'; readonly why: string };

export interface VerifyInput {
  readonly task: Task;
  readonly genesis: Genesis;
  readonly bundle: Bundle;
  readonly opening: Opening;
  /** What the chain says, or why it was not asked. */
  readonly chain: ChainFacts | string;
}
/** Decoding failures surface in every line that needs what doesn't decode. */
export interface Subject extends VerifyInput {
  /** Of the genesis, hex. */
  readonly digest: string;
  /** The masters of the genesis: later committees come with links from it (P5), which no bundle carries yet. */
  readonly committee: Committee;
  readonly context: RuleContext;
  readonly record: () => TaskRecord;
  readonly envelope: () => TaskEnvelope;
  readonly batch: () => Batch | undefined;
}

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

export const subjectOf = (input: VerifyInput): Subject => {
  const { genesis, bundle } = input;
  const digest = genesisDigest(genesis);
  return {
    ...input,
    digest,
    committee: committeeOf(genesis),
    context: { genesis, genesisDigest: digest, time: 0, height: 0n },
    record: once(() => decodeTaskRecord(bundle.task.value)),
    envelope: once(() => decodeEnvelope(fromHex(bundle.envelope.value))),
    batch: once(() => bundle.batch && decodeBatch(fromHex(bundle.batch.value))),
  };
};

export const same = (a: unknown, b: unknown): boolean => equalBytes(encodeCanonical(a), encodeCanonical(b));
export const differs = (what: string, equal: boolean): string | undefined => (equal ? undefined : `${what} differs`);
export const first = (...problems: readonly (string | undefined)[]): string | undefined => problems.find((p) => p !== undefined);

/** Throws when the Vault has no part: a problem of the line that asks. */
export const partOf = (record: TaskRecord, vault: string): VaultPart => {
  const part = record.parts.find((p) => p.vault === vault);
  if (!part) throw new Error(`${vault} has no part in the task`);
  return part;
};
