/** What a new master says of itself (rules N9, P5, G7): signed by its own durable key, as the genesis says as much of the first ones. */
import { z } from 'zod';
import { signStatement } from './evidence.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const SeatTerms = z.strictObject({
  /** The generation in which it is a master for the first time. */
  generation: z
    .bigint()
    .min(0n)
    .max(2n ** 62n),
  master: z.int().min(0).max(2),
  publicKey: digest,
  tlsAuthority: z.string().max(4096),
  rewardAddress: z.string().regex(/^0x[0-9a-f]{64}$/),
});
export const Seat = z.strictObject({ terms: SeatTerms, signature: z.string().regex(/^[0-9a-f]{128}$/) });
export type SeatTerms = z.infer<typeof SeatTerms>;
export type Seat = z.infer<typeof Seat>;

export const signSeat = (seed: string, genesis: string, terms: SeatTerms): Seat => ({
  terms,
  signature: signStatement(seed, 'master.seat', genesis, terms),
});
