/**
 * What a query costs (rule K1): base + per Vault + per public size band + per epsilon. Base units of SYM, integers, rounded up.
 * Nothing here depends on how many records were eligible, matched or left out.
 */
import type { Policy } from '../policy.ts';

const MICRO = 1_000_000n;
const ceilDiv = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;
type Fees = Policy['fees']['query'];
interface Priced {
  readonly sizeBand: number;
}

const vaultPrice = (fees: Fees, { sizeBand }: Priced): bigint => {
  const band = fees.perSizeBand[sizeBand];
  if (band === undefined) throw new RangeError(`size band ${sizeBand} has no price`);
  return fees.perVault + band;
};
const vaultsPrice = (fees: Fees, vaults: readonly Priced[]): bigint => vaults.reduce((sum, v) => sum + vaultPrice(fees, v), 0n);
/** `epsilon` in millionths. */
const epsilonPrice = (fees: Fees, epsilon: bigint): bigint => ceilDiv(fees.perEpsilon * epsilon, MICRO);

/** The quote over these Vaults: the upper quote when all asked are given, the charge when those that delivered are. */
export const queryPrice = (policy: Policy, vaults: readonly Priced[], epsilon: bigint): bigint => {
  const fees = policy.fees.query;
  return fees.base + vaultsPrice(fees, vaults) + epsilonPrice(fees, epsilon);
};

/**
 * K10: a task that ends without a result pays nothing if no output left, else for the Vaults whose output left and for the
 * privacy they spent. The base fee is for a result, so it is not owed. Never above the quote, whose Vaults include these.
 */
export const failedPrice = (policy: Policy, released: readonly Priced[], epsilon: bigint): bigint => {
  const fees = policy.fees.query;
  return released.length === 0 ? 0n : vaultsPrice(fees, released) + epsilonPrice(fees, epsilon);
};
