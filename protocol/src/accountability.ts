/**
 * Equivocation (rules G3, G4): two decide votes of one master over different heads at one generation and height prove it,
 * without a vote. Messages inside a view are signed under other tags and prove nothing. Twin of `scs::accountability`.
 */
import { decideMessage, sameHead, type Committee, type Head } from './certificate.ts';
import { isSignature, verifySignature } from './keys.ts';

/** `signature` is hex of 64 bytes over `decideMessage(head)`. */
export interface DecideVote {
  readonly head: Head;
  readonly signature: string;
}
/** `master` is the index 0..2 in the committee of the heads' generation. */
export interface Equivocation {
  readonly master: number;
  readonly votes: readonly [DecideVote, DecideVote];
}

export type EquivocationFault =
  | { code: 'SameHead' }
  | { code: 'WrongGenesis' }
  | { code: 'WrongGeneration'; expected: bigint; got: bigint }
  | { code: 'UnknownMaster'; master: number }
  | { code: 'BadSignature'; height: bigint }
  | { code: 'DifferentSlots' };

const voteFault = (vote: DecideVote, master: number, genesis: string, committee: Committee): EquivocationFault | undefined => {
  const { head, signature } = vote;
  if (head.genesis !== genesis) return { code: 'WrongGenesis' };
  if (head.generation !== committee.generation) return { code: 'WrongGeneration', expected: committee.generation, got: head.generation };
  const key = committee.keys[master];
  if (key === undefined) return { code: 'UnknownMaster', master };
  return isSignature(signature) && verifySignature(key, decideMessage(head), signature)
    ? undefined
    : { code: 'BadSignature', height: head.height };
};

/** What the contract would refuse it for; undefined when it proves equivocation. `committee` is that of the first head's generation. */
export const equivocationFault = (
  { master, votes }: Equivocation,
  genesis: string,
  committee: Committee,
): EquivocationFault | undefined => {
  const [a, b] = votes;
  if (sameHead(a.head, b.head)) return { code: 'SameHead' };
  const fault = voteFault(a, master, genesis, committee);
  if (fault) return fault;
  if (b.head.genesis === genesis && b.head.generation !== a.head.generation) return { code: 'DifferentSlots' };
  const second = voteFault(b, master, genesis, committee);
  if (second) return second;
  return a.head.height === b.head.height ? undefined : { code: 'DifferentSlots' };
};
