import { readAccount, readGas, writeAccount, writeGas } from './accounts.ts';
import type { Signers } from './authenticate.ts';
import * as limits from './limits.ts';
import { overlay } from './overlay.ts';
import type { Overlay } from './overlay.ts';
import { invalidTransaction } from './refusal.ts';
import type { SignedTransaction } from './transaction.ts';
import type { Environment, RawEvent, Vm } from './vm.ts';
import { parseVmError } from './vm-status.ts';
import type { VmFailure } from './vm-status.ts';

/** A transaction that was executed and has its place in a block, successful or not. */
export type Executed = {
  readonly failure: VmFailure | undefined;
  readonly events: readonly RawEvent[];
  /** In devnet gas units. */
  readonly gasUsed: bigint;
  readonly writes: Overlay['writes'];
};

type Read = Overlay['read'];

/** What is wrong with a transaction whatever the state: limits and chain id. Throws `Refusal`. */
export const checkForm = (tx: SignedTransaction, chainId: number, nowSecs: bigint): void => {
  if (tx.chainId !== chainId) throw invalidTransaction('BAD_CHAIN_ID');
  if (tx.expirationSecs <= nowSecs) throw invalidTransaction('TRANSACTION_EXPIRED');
  if (tx.maxGasAmount > limits.maxGasAmount) throw invalidTransaction('MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND');
  if (tx.maxGasAmount < limits.minGasAmount) throw invalidTransaction('MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS');
  if (tx.gasUnitPrice < limits.minGasUnitPrice) throw invalidTransaction('GAS_UNIT_PRICE_BELOW_MIN_BOUND');
  if (tx.gasUnitPrice > limits.maxGasUnitPrice) throw invalidTransaction('GAS_UNIT_PRICE_ABOVE_MAX_BOUND');
  if (tx.sequenceNumber >= 2n ** 63n) throw invalidTransaction('SEQUENCE_NUMBER_TOO_BIG');
};

/** Whether the accounts are whose keys signed, and the fee is there. Throws `Refusal`. */
export const checkAccounts = (tx: SignedTransaction, signers: Signers, read: Read): void => {
  for (const signer of [...signers.senders, signers.payer]) {
    const account = readAccount(read, signer.address);
    if (!Buffer.from(account.authenticationKey).equals(signer.authenticationKey)) throw invalidTransaction('INVALID_AUTH_KEY');
  }
  if (readAccount(read, tx.sender).sequenceNumber > tx.sequenceNumber) throw invalidTransaction('SEQUENCE_NUMBER_TOO_OLD');
  if (readGas(read, signers.payer.address) < tx.maxGasAmount * tx.gasUnitPrice)
    throw invalidTransaction('INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE');
};

const writeLimit = (message: string): VmFailure => ({ kind: 'failure', status: 'STORAGE_WRITE_LIMIT_REACHED', place: '', detail: message });

/** Aptos' bounds on what one transaction may leave behind. */
const checkOutput = (writes: Overlay['writes'], events: readonly RawEvent[]): VmFailure | undefined => {
  if (writes.size > limits.maxWriteOps) return writeLimit('too many write operations');
  let written = 0;
  for (const value of writes.values()) {
    const size = value?.length ?? 0;
    if (size > limits.maxWriteOpBytes) return writeLimit('a write operation is too large');
    written += size;
  }
  if (written > limits.maxWriteBytes) return writeLimit('too many bytes written');
  const sizes = events.map((e) => e.data.length);
  if (sizes.some((size) => size > limits.maxEventBytes)) return writeLimit('an event is too large');
  return sizes.reduce((a, b) => a + b, 0) > limits.maxEventsBytes ? writeLimit('too many bytes of events') : undefined;
};

const unitsOf = (vmGas: bigint): bigint => (vmGas + limits.vmGasPerUnit - 1n) / limits.vmGasPerUnit;

/** Sequence number and fee: also for a transaction that failed. */
const settle = (top: Overlay, tx: SignedTransaction, payer: Uint8Array, fee: bigint): boolean => {
  const gas = readGas(top.read, payer);
  if (gas < fee) return false;
  const account = readAccount(top.read, tx.sender);
  writeAccount(top.write, tx.sender, { ...account, sequenceNumber: tx.sequenceNumber + 1n });
  writeGas(top.write, payer, gas - fee);
  return true;
};

const feeGone: VmFailure = {
  kind: 'failure',
  status: 'INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE',
  place: '',
  detail: 'the call spent the gas that pays for it',
};

/**
 * Runs a transaction that passed the checks, on top of `read`. A failed one leaves only its sequence number and its fee. Never
 * throws for what a transaction does.
 */
export const execute = (vm: Vm, read: Read, env: Environment, tx: SignedTransaction, signers: Signers): Executed => {
  const top = overlay(read);
  const senders = signers.senders.map((s) => s.address);
  const { outcome, gasUsed } = vm.execute(top, env, senders, tx.call, tx.maxGasAmount * limits.vmGasPerUnit);
  const units = unitsOf(gasUsed) > tx.maxGasAmount ? tx.maxGasAmount : unitsOf(gasUsed);
  const fee = units * tx.gasUnitPrice;
  const failure = outcome.ok ? checkOutput(top.writes, outcome.value) : parseVmError(outcome.error);
  if (failure === undefined && outcome.ok && settle(top, tx, signers.payer.address, fee))
    return { failure, events: outcome.value, gasUsed: units, writes: top.writes };
  const bare = overlay(read);
  settle(bare, tx, signers.payer.address, fee);
  return { failure: failure ?? feeGone, events: [], gasUsed: units, writes: bare.writes };
};
