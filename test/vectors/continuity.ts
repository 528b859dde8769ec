/** Vectors of what outlives a committee: recovery claims (rule N9) and the record of epochs, policies and protocols (G1, G2, X4). */
import { concat, hex, utf8 } from '@scs/protocol/encoding/bytes.ts';
import { encodeGovernanceLeaf, governanceKey, type GovernanceLeaf } from '@scs/protocol/governance-leaf.ts';
import { publicKeyOf, sign } from '@scs/protocol/keys.ts';
import { encodeRecoveryClaim, recoveryMessage, type RecoveryClaim } from '@scs/protocol/recovery.ts';
import { certify, committees, digestOf, genesis, headOf, prove, seed, stateOf } from './scenario.ts';

const recoverySeeds = [seed(50), seed(51), seed(52)] as const;
export const recoveryKeys = recoverySeeds.map(publicKeyOf);

export interface SignedClaim {
  readonly claim: RecoveryClaim;
  readonly bytes: string;
  readonly signers: readonly number[];
  readonly signatures: readonly string[];
}
const signed = (change: Partial<RecoveryClaim>, signers: readonly number[] = [0, 2]): SignedClaim => {
  const claim = {
    genesis,
    round: 1n,
    generation: 1n,
    height: 7n,
    stateRoot: digestOf('state at 7'),
    keys: committees[1].keys,
    ...change,
  };
  const signatures = signers.map((i) => sign(recoverySeeds[i] ?? seed(9), recoveryMessage(claim)));
  return { claim, bytes: hex(encodeRecoveryClaim(claim)), signers, signatures };
};
const [k0, k1] = committees[1].keys as [string, string];
const good = signed({});

export const claims: Readonly<Record<string, SignedClaim>> = {
  claim_1: good,
  claim_1_other_keys: signed({ keys: [...committees[0].keys].toReversed() }, [0, 1]),
  claim_2: signed({ round: 2n, height: 8n }, [1, 2]),
  claim_2_too_low: signed({ round: 2n, height: 7n }),
  claim_of_one_key: signed({}, [1]),
  claim_of_equal_keys: signed({}, [1, 1]),
  claim_of_masters: { ...good, signatures: [0, 2].map((i) => sign(seed(i), recoveryMessage(good.claim))) },
  claim_untagged: {
    ...good,
    signatures: [0, 2].map((i) => sign(recoverySeeds[i]!, concat(utf8('SCS::decide::v1'), encodeRecoveryClaim(good.claim)))),
  },
  claim_of_another_genesis: signed({ genesis: digestOf('another genesis') }),
  claim_out_of_turn: signed({ round: 2n }),
  claim_of_a_later_generation: signed({ generation: 2n }),
  claim_of_two_masters: signed({ keys: [k0, k1] }),
  claim_of_equal_masters: signed({ keys: [k0, k1, k0] }),
};

const record = (number: bigint, change: Partial<GovernanceLeaf> = {}): GovernanceLeaf => ({
  number,
  digest: digestOf(`epoch ${number - 1n}`),
  policyVersion: 1n,
  policy: digestOf('policy 1'),
  protocolVersion: 1n,
  ...change,
});
const second = { policyVersion: 3n, policy: digestOf('policy 3'), protocolVersion: 2n };
export const records: Readonly<Record<string, GovernanceLeaf>> = {
  epoch_1: record(1n),
  epoch_2: record(2n, second),
  epoch_3: record(3n, second),
};
/** Certified, and refused all the same; each in a state of its own. */
export const refusedRecords: Readonly<Record<string, GovernanceLeaf>> = {
  epoch_2_policy_back: record(2n, { policyVersion: 0n, policy: digestOf('policy 0') }),
  epoch_2_policy_changed: record(2n, { policy: digestOf('policy 1, edited') }),
  epoch_2_protocol_back: record(2n, { protocolVersion: 0n }),
};
const certified = (leaves: readonly GovernanceLeaf[], { number }: GovernanceLeaf) => {
  const state = stateOf(leaves.map((leaf) => [governanceKey(leaf.number), encodeGovernanceLeaf(leaf)] as const));
  return prove(state, governanceKey(number), certify(headOf(state, 0, 30n), 0, [0, 1]));
};
const sound = Object.entries(records).map(([name, leaf]) => [name, certified(Object.values(records), leaf)] as const);
const refused = Object.entries(refusedRecords).map(([name, leaf]) => [name, certified([leaf], leaf)] as const);
export const governanceLeaves = Object.fromEntries([...sound, ...refused]);
