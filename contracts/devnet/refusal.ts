/**
 * Why a request is refused, as the API says it: HTTP status, Aptos' `error_code`, and the VM's number where the transaction itself is at
 * fault. Thrown across the node's layers and turned into JSON in one place (`server.ts`).
 */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly vmCode: number | undefined;
  constructor(status: number, code: string, message: string, vmCode?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.vmCode = vmCode;
  }
}

/** Aptos' validation codes: why a transaction gets no place in a block. The numbers are Aptos'. */
export const validationCodes = {
  INVALID_SIGNATURE: 1,
  INVALID_AUTH_KEY: 2,
  SEQUENCE_NUMBER_TOO_OLD: 3,
  SEQUENCE_NUMBER_TOO_NEW: 4,
  INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE: 5,
  TRANSACTION_EXPIRED: 6,
  EXCEEDED_MAX_TRANSACTION_SIZE: 10,
  MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND: 13,
  MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS: 14,
  GAS_UNIT_PRICE_BELOW_MIN_BOUND: 15,
  GAS_UNIT_PRICE_ABOVE_MAX_BOUND: 16,
  BAD_CHAIN_ID: 23,
  SEQUENCE_NUMBER_TOO_BIG: 24,
} as const;
export type ValidationCode = keyof typeof validationCodes;

export const invalidTransaction = (code: ValidationCode): Refusal =>
  new Refusal(400, 'vm_error', `Invalid transaction: Type: Validation Code: ${code}`, validationCodes[code]);
export const invalidInput = (message: string): Refusal => new Refusal(400, 'invalid_input', message);
export const notFound = (code: string, message: string): Refusal => new Refusal(404, code, message);
