/** What the chain keeps of each closed epoch (rules G1, G2, X4): decided when it closes, landed in line like any other leaf. */
import { encodeCanonical } from '../encoding/canonical.ts';
import { digest, type Digest } from '../encoding/hash.ts';
import { encodeGovernanceLeaf } from '../governance-leaf.ts';
import type { Policy } from '../policy.ts';
import type { EpochRecord } from '../state.ts';
import { policyOf, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { decideLeaf } from './economy.ts';

export const policyDigest = (policy: Policy): Digest<'policy'> => digest('policy', encodeCanonical(policy));
export const epochDigest = (closed: EpochRecord): Digest<'epoch'> => digest('epoch', encodeCanonical(closed));

/** After the next epoch has begun: what is in force then is what the leaf says. */
export const recordEpoch = (draft: Draft, epoch: number, { genesis }: Pick<RuleContext, 'genesis'>): void => {
  const { policyVersion, protocolVersion } = draft.must('meta');
  const closed = draft.must('epoch', String(epoch));
  const policy = policyDigest(policyOf(genesis, policyVersion));
  decideLeaf(draft, 'governance', epoch, (number) =>
    encodeGovernanceLeaf({
      number,
      digest: epochDigest(closed),
      policyVersion: BigInt(policyVersion),
      policy,
      protocolVersion: BigInt(protocolVersion),
    }),
  );
};
