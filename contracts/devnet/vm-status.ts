import { addressText } from './bytes.ts';

/** How a call ended other than well, taken from the words of the VM. */
export type VmFailure =
  | { readonly kind: 'abort'; readonly address: string; readonly module: string; readonly code: bigint }
  | { readonly kind: 'out-of-gas' }
  | { readonly kind: 'failure'; readonly status: string; readonly place: string; readonly detail: string };

const abort = /^VM aborted: location=([0-9a-f]{64})::(\w+), code=(\d+)/;
const status = /status (\w+) of type \w+(?: with message ([^\n]*))?/;
const place = /location=([0-9a-f]{64})::(\w+), function=\d+, code_offset=(\d+)\s*$/;

const short = (digits: string): string => addressText(Buffer.from(digits, 'hex'));

export const parseVmError = (text: string): VmFailure => {
  const aborted = abort.exec(text);
  if (aborted !== null)
    return { kind: 'abort', address: short(aborted[1] ?? ''), module: aborted[2] ?? '', code: BigInt(aborted[3] ?? '0') };
  const found = status.exec(text);
  if (found?.[1] === 'OUT_OF_GAS') return { kind: 'out-of-gas' };
  const at = place.exec(text);
  const where = at === null ? '' : ` in ${short(at[1] ?? '')}::${at[2]} at code offset ${at[3]}`;
  return { kind: 'failure', status: found?.[1] ?? 'UNKNOWN_STATUS', place: where, detail: found?.[2] ?? text.split('\n')[0] ?? '' };
};

/** A named abort code: constant and doc comment. */
export type AbortName = { readonly name: string; readonly description: string };

/** `vm_status` as Aptos words it: `Move abort in 0x1::m: E_NAME(0x3): What it means`. */
export const explain = (failure: VmFailure, name?: AbortName): string => {
  switch (failure.kind) {
    case 'abort': {
      const code = `0x${failure.code.toString(16)}`;
      const where = `Move abort in ${failure.address}::${failure.module}`;
      return name === undefined ? `${where}: ${code}` : `${where}: ${name.name}(${code}): ${name.description}`;
    }
    case 'out-of-gas':
      return 'Out of gas';
    case 'failure':
      return `Execution failed${failure.place} with status ${failure.status}${failure.detail === '' ? '' : `: ${failure.detail}`}`;
  }
};
