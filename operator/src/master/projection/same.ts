/** Whether what the API server holds is what the masters decided. */
import { hash } from 'node:crypto';
import { leafFault, type CertifiedLeaf, type Committee } from '@scs/protocol';
import { sameJson } from '../../kube/same-json.ts';
import type { Proof } from './proof.ts';

export { sameJson };

interface WithProof {
  readonly proof?: Proof | undefined;
}
const withoutProof = (status: WithProof): object => {
  const { proof, ...rest } = status;
  return proof === undefined ? status : rest;
};

const leafOf = ({ key, value, siblings, head, votes }: Proof): CertifiedLeaf => ({
  key,
  value,
  siblings,
  certificate: { head: { ...head, generation: BigInt(head.generation), height: BigInt(head.height) }, votes },
});

/** A proof that holds is as good as ours: the root moves with each block, so paths differ while the entry is the same. */
const proves = (found: Proof | undefined, wanted: Proof | undefined, genesis: string, committee: Committee): boolean => {
  if (!found || !wanted) return found === wanted;
  return found.key === wanted.key && found.value === wanted.value && holds(found, genesis, committee);
};

/** Digests of proofs that held, the latest: the same object is looked at many times. */
const known = new Set<string>();
const MOST_KNOWN = 4_096;
const holds = (proof: Proof, genesis: string, committee: Committee): boolean => {
  const digest = hash('sha256', JSON.stringify([genesis, committee.keys, proof]));
  if (known.has(digest)) return true;
  if (leafFault(leafOf(proof), genesis, committee) !== undefined) return false;
  known.add(digest);
  const oldest = known.values().next().value;
  if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
  return true;
};

/** The same but for the age of a proof that holds. */
export const sameStatus = (found: WithProof | undefined, wanted: WithProof, genesis: string, committee: Committee): boolean =>
  found !== undefined && sameJson(withoutProof(found), withoutProof(wanted)) && proves(found.proof, wanted.proof, genesis, committee);
