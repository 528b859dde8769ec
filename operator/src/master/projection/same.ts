/** Whether what the API server holds is what the masters decided. */
import { encodeCanonical, equalBytes, leafFault, type CertifiedLeaf, type Committee } from '@scs/protocol';
import type { Proof } from './proof.ts';

const bytes = (value: unknown): Uint8Array => encodeCanonical(JSON.parse(JSON.stringify(value ?? null)));
export const sameJson = (a: unknown, b: unknown): boolean => {
  try {
    return equalBytes(bytes(a), bytes(b));
  } catch (error) {
    if (error instanceof RangeError) return false; // a float, say: nothing of ours has one
    throw error;
  }
};

interface WithProof {
  readonly proof?: Proof | undefined;
}
const withoutProof = (status: WithProof): object => ({ ...status, proof: undefined });

const leafOf = ({ key, value, siblings, head, votes }: Proof): CertifiedLeaf => ({
  key,
  value,
  siblings,
  certificate: { head: { ...head, generation: BigInt(head.generation), height: BigInt(head.height) }, votes },
});

/** A proof that holds is as good as ours: the root moves with each block, so paths differ while the entry is the same. */
const proves = (found: Proof | undefined, wanted: Proof | undefined, genesis: string, committee: Committee): boolean => {
  if (!found || !wanted) return found === wanted;
  return found.key === wanted.key && found.value === wanted.value && leafFault(leafOf(found), genesis, committee) === undefined;
};

/** The same but for the age of a proof that holds. */
export const sameStatus = (found: WithProof | undefined, wanted: WithProof, genesis: string, committee: Committee): boolean =>
  found !== undefined && sameJson(withoutProof(found), withoutProof(wanted)) && proves(found.proof, wanted.proof, genesis, committee);
