/** From what the SDK throws, and what the VM says, to the port's faults. */
import { AptosApiError } from '@aptos-labs/ts-sdk';
import { moveAbort } from '@scs/protocol';
import { TransportError } from './aptos-transport.ts';
import { ChainError } from './chain.ts';
import type { ChainFault } from './chain.ts';

const shorten = (text: string): string => (text.length > 400 ? `${text.slice(0, 400)}...` : text);

/** Fault of a committed transaction that failed. */
export const faultOfStatus = (vmStatus: string, account: string): ChainFault => {
  const reason = moveAbort(vmStatus)?.word;
  if (reason !== undefined) return { code: 'ContractRefused', reason, detail: shorten(vmStatus) };
  if (/OUT[_ ]OF[_ ]GAS|INSUFFICIENT_BALANCE/i.test(vmStatus)) return { code: 'GasInsufficient', account };
  return { code: 'ChainMisbehaves', detail: shorten(vmStatus) };
};

/** Refusals of a transaction before it enters the mempool, and of one that the node knows no more, that pass by building it anew. */
const STALE = /SEQUENCE_NUMBER|TRANSACTION_EXPIRED|mempool_is_full|version_not_found|version_pruned|transaction_not_found|timed_out/i;

const faultOfApi = (error: AptosApiError, account: string, contract: string): ChainFault => {
  const data: unknown = error.data;
  const text = shorten(typeof data === 'object' && data !== null ? JSON.stringify(data) : String(data));
  if (error.status === 429 || error.status === 408 || error.status >= 500)
    return { code: 'ChainUnavailable', detail: `HTTP ${error.status}: ${text}` };
  if (STALE.test(text)) return { code: 'ChainUnavailable', detail: text };
  if (/INSUFFICIENT_BALANCE/i.test(text)) return { code: 'GasInsufficient', account };
  if (/module_not_found|MISSING_DATA|LINKER_ERROR|FUNCTION_RESOLUTION_FAILURE/i.test(text)) return { code: 'ContractMissing', contract };
  if (/account_not_found/i.test(text)) return { code: 'GasInsufficient', account };
  const reason = moveAbort(text)?.word;
  return reason === undefined
    ? { code: 'ChainMisbehaves', detail: `HTTP ${error.status}: ${text}` }
    : { code: 'ContractRefused', reason, detail: text };
};

/** The SDK gave up waiting; it exports no class for that. */
const gaveUp = (error: unknown): error is Error => error instanceof Error && 'lastSubmittedTransaction' in error;

/**
 * Every error of a call to the node as a ChainError. What the SDK throws over an answer that it can't read (TypeError,
 * SyntaxError) is the node's fault too.
 */
export const asChainError = (error: unknown, account: string, contract: string): ChainError => {
  if (error instanceof ChainError) return error;
  if (error instanceof TransportError) return new ChainError({ code: 'ChainUnavailable', detail: error.message }, { cause: error });
  if (gaveUp(error)) return new ChainError({ code: 'ChainUnavailable', detail: shorten(error.message) }, { cause: error });
  if (error instanceof AptosApiError) return new ChainError(faultOfApi(error, account, contract), { cause: error });
  return new ChainError(
    { code: 'ChainMisbehaves', detail: shorten(error instanceof Error ? error.message : 'no error') },
    { cause: error },
  );
};
