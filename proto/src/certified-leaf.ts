/** Certified leaves on the wire: the same content as `protocol/src/certificate.ts`, bytes instead of hex. */
import { fromHex, hex, type Certificate, type CertifiedLeaf } from '@scs/protocol';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  Certificate as WireCertificate,
  CertificateSchema,
  CertifiedLeaf as WireLeaf,
  CertifiedLeafSchema,
} from './gen/scs/v1/masters_pb.ts';

export const certificateToWire = ({ head, votes }: Certificate): MessageInitShape<typeof CertificateSchema> => ({
  head: {
    genesis: fromHex(head.genesis),
    generation: head.generation,
    height: head.height,
    stateRoot: fromHex(head.stateRoot),
    block: fromHex(head.block),
  },
  votes: votes.map(({ master, signature }) => ({ master, signature: fromHex(signature) })),
});
/** undefined when the head is missing. Nothing is verified here. */
export const certificateFromWire = ({ head, votes }: WireCertificate): Certificate | undefined =>
  head && {
    head: {
      genesis: hex(head.genesis),
      generation: head.generation,
      height: head.height,
      stateRoot: hex(head.stateRoot),
      block: hex(head.block),
    },
    votes: votes.map(({ master, signature }) => ({ master, signature: hex(signature) })),
  };

export const leafToWire = (leaf: CertifiedLeaf): MessageInitShape<typeof CertifiedLeafSchema> => ({
  key: leaf.key,
  value: fromHex(leaf.value),
  siblings: leaf.siblings.map(fromHex),
  certificate: certificateToWire(leaf.certificate),
});
/** undefined when the certificate is missing. Nothing is verified here: see `leafFault`. */
export const leafFromWire = (leaf: WireLeaf): CertifiedLeaf | undefined => {
  const certificate = leaf.certificate && certificateFromWire(leaf.certificate);
  return certificate && { key: leaf.key, value: hex(leaf.value), siblings: leaf.siblings.map(hex), certificate };
};
