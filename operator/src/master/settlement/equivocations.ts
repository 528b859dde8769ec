/** Stored proofs that a master signed twice, as the contract takes them (rule G4). What doesn't hold up is left out: it would only abort. */
import { z } from 'zod';
import { committeeIn, decodeCanonicalAs, equivocationFault, type Committee, type Equivocation } from '@scs/protocol';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const Head = z.object({ genesis: digest, generation: z.bigint(), height: z.bigint(), stateRoot: digest, block: digest });
const Vote = z.object({ master: z.int().min(0).max(2), signature: z.string().regex(/^[0-9a-f]{128}$/) });
/** A certificate, or one held vote. */
const Side = z.union([z.object({ head: Head, votes: z.array(Vote) }), z.object({ head: Head, vote: Vote })]);
const Proof = z.object({ first: Side, second: Side });
type Side = z.infer<typeof Side>;

const voteIn = (side: Side, master: number): Equivocation['votes'][number] | undefined => {
  const votes = 'votes' in side ? side.votes : [side.vote];
  const vote = votes.find((v) => v.master === master);
  return vote && { head: side.head, signature: vote.signature };
};

/** undefined when the bytes prove nothing against this master. */
export const equivocationIn = (
  { master, proof }: { readonly master: number; readonly proof: Uint8Array },
  genesis: string,
  committee: Committee,
): Equivocation | undefined => {
  let sides: z.infer<typeof Proof>;
  try {
    sides = decodeCanonicalAs((value) => Proof.parse(value), proof);
  } catch {
    return undefined; // an older program's, or none: it stays on the disk for people
  }
  const [first, second] = [voteIn(sides.first, master), voteIn(sides.second, master)];
  if (!first || !second) return undefined;
  const found: Equivocation = { master, votes: [first, second] };
  const then = committeeIn(committee, first.head.generation); // after a recovery the vote is still its author's
  return !then || equivocationFault(found, genesis, then) ? undefined : found;
};
