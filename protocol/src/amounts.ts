/** Amounts as people write them and as the rules count them. Integers only (K, B7): no float ever holds money or privacy. */
declare const unit: unique symbol;
/** Base units of SYM: 10^-8 SYM. */
export type Sym = bigint & { readonly [unit]: 'Sym' };
/** Millionths of epsilon. */
export type MicroEpsilon = bigint & { readonly [unit]: 'MicroEpsilon' };
/** Millionths of rho (zCDP). */
export type MicroRho = bigint & { readonly [unit]: 'MicroRho' };

const SYM_DECIMALS = 8;
const EPSILON_DECIMALS = 6;
export const U64_MAX = 2n ** 64n - 1n;

/** "12.5" with at most `decimals` digits after the point -> integer. Throws RangeError on any other spelling. */
const parseDecimal = (text: string, decimals: number): bigint => {
  const match = /^(0|[1-9]\d{0,11})(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? '';
  if (!match || fraction.length > decimals) throw new RangeError(`not a decimal with at most ${decimals} digits after the point: ${text}`);
  return BigInt(match[1]!) * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0'));
};
const formatDecimal = (amount: bigint, decimals: number): string => {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0');
  const fraction = digits.slice(-decimals).replace(/0+$/, '');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -decimals)}${fraction && `.${fraction}`}`;
};

export const parseSym = (text: string): Sym => parseDecimal(text, SYM_DECIMALS) as Sym;
export const formatSym = (amount: bigint): string => formatDecimal(amount, SYM_DECIMALS);
export const parseEpsilon = (text: string): MicroEpsilon => parseDecimal(text, EPSILON_DECIMALS) as MicroEpsilon;
export const formatEpsilon = (epsilon: bigint): string => formatDecimal(epsilon, EPSILON_DECIMALS);

/** B7: pure epsilon enters the ledger as epsilon^2 / 2, rounded up. */
export const rhoOfEpsilon = (epsilon: MicroEpsilon): MicroRho => ((epsilon * epsilon + 1_999_999n) / 2_000_000n) as MicroRho;
