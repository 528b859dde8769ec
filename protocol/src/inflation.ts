/**
 * The schedule of minting (rule K7): 8, 5, 3, 1.5 and 0 % a year over five years of chain time. Each rate is of the supply at
 * that year's start, evenly over its seconds; rounded down within a year, so that the sum is the same however often it is
 * called. Twin of `scs::inflation`.
 */
import { bcs } from '@mysten/bcs';
import { fromHex, hex } from './encoding/bytes.ts';
import type { Transfer } from './settlement-layout.ts';

export const YEAR_SECONDS = 31_536_000n;
/** Basis points, year by year. */
export const INFLATION = [800n, 500n, 300n, 150n, 0n] as const;

/** Base units minted in the first `elapsedSeconds` since the contracts began. Throws RangeError on a negative argument. */
export const mintedBy = (genesisSupply: bigint, elapsedSeconds: bigint): bigint => {
  if (genesisSupply < 0n || elapsedSeconds < 0n) throw new RangeError('supply and time are not negative');
  let [supply, left] = [genesisSupply, elapsedSeconds];
  for (const rate of INFLATION) {
    const whole = (supply * rate) / 10_000n;
    if (left < YEAR_SECONDS) return supply - genesisSupply + (whole * left) / YEAR_SECONDS;
    supply += whole;
    left -= YEAR_SECONDS;
  }
  return supply - genesisSupply;
};

/** What nodes get of the bootstrap pot: the state leaf `node-rewards/<number>`. Ascending by address, each once. */
export interface NodeRewards {
  readonly number: bigint;
  readonly transfers: readonly Transfer[];
}
const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });
const Payout = bcs.struct('NodeRewards', {
  number: U64,
  transfers: bcs.vector(bcs.struct('Transfer', { account: bcs.fixedArray(32, bcs.u8()), amount: U64 })),
});

export const nodeRewardsKey = (number: bigint): string => `node-rewards/${number}`;
export const encodeNodeRewards = ({ number, transfers }: NodeRewards): Uint8Array =>
  Payout.serialize({
    number,
    transfers: transfers.map(({ account, amount }) => ({ account: [...fromHex(account.slice(2))], amount })),
  }).toBytes();
export const decodeNodeRewards = (bytes: Uint8Array): NodeRewards => {
  const { number, transfers } = Payout.parse(bytes);
  return { number, transfers: transfers.map(({ account, amount }) => ({ account: `0x${hex(Uint8Array.from(account))}`, amount })) };
};
