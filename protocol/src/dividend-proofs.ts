/**
 * The file of dividend proofs that a producer gets from their Vault and hands to the plugin (rule K6): plain JSON, amounts in base
 * units as decimal strings, digests in hex. The Vault writes it, `kubectl symphony claim --dividends FILE` reads it.
 */
import { z } from 'zod';
import type { DividendClaim } from './dividends.ts';
import { fromHex, hex } from './encoding/bytes.ts';

const u64 = z
  .string()
  .regex(/^(0|[1-9]\d{0,19})$/)
  .transform((text) => BigInt(text))
  .refine((n) => n < 2n ** 64n, 'above 64 bits');
const Proof = z.strictObject({
  /** The root that it belongs to: `dividends/<number>`. */
  number: u64,
  index: z.int().min(0),
  /** Base units of SYM. */
  amount: u64,
  /** Siblings from the leaf upwards. */
  path: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(53),
});
/** At most so many claims in one file: some megabytes. */
const MAX_CLAIMS = 10_000;

export const DividendProofs = z.strictObject({
  account: z.string().regex(/^0x[0-9a-f]{64}$/),
  claims: z.array(Proof).max(MAX_CLAIMS),
});
export interface DividendProofs {
  /** Address of the producer; the contract pays nobody else. */
  readonly account: string;
  readonly claims: readonly DividendClaim[];
}

/** Throws ZodError that names the field at fault. */
export const parseDividendProofs = (value: unknown): DividendProofs => {
  const { account, claims } = DividendProofs.parse(value);
  return { account, claims: claims.map(({ path, ...claim }) => ({ ...claim, path: path.map(fromHex) })) };
};

/** What JSON.stringify takes. */
export const dividendProofsJson = ({ account, claims }: DividendProofs): z.input<typeof DividendProofs> => ({
  account,
  claims: claims.map(({ number, index, amount, path }) => ({ number: `${number}`, index, amount: `${amount}`, path: path.map(hex) })),
});
