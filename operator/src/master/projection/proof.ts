/** A certified leaf as status and files carry it (rule N6). */
import { encodeCanonical, fromUtf8, type CertifiedLeaf, type Task } from '@scs/protocol';

export type Proof = NonNullable<NonNullable<Task['status']>['proof']>;
/** Hex digits that a status takes; a larger record's proof is in the result's ConfigMap and at the masters. */
const MOST_HEX = 65_536;

export const proofOf = (leaf: CertifiedLeaf): Proof | undefined => {
  if (leaf.value.length > MOST_HEX) return undefined;
  const { genesis, generation, height, stateRoot, block } = leaf.certificate.head;
  return {
    key: leaf.key,
    value: leaf.value,
    siblings: [...leaf.siblings],
    head: { genesis, generation: generation.toString(), height: height.toString(), stateRoot, block },
    votes: leaf.certificate.votes.map(({ master, signature }) => ({ master, signature })),
  };
};

/** The text of a `.leaf` file. */
export const leafFile = (leaf: CertifiedLeaf): string => fromUtf8(encodeCanonical(leaf));

/** As a field of a status; nothing when there is no leaf. */
export const proved = (leaf: CertifiedLeaf | undefined) => {
  const proof = leaf && proofOf(leaf);
  return proof ? { proof } : {};
};
