/** What the differential test does to the contracts and to their model: each kind one entry function, sound or faulty. */
import type { DividendClaim, DividendTerms } from '@scs/protocol/dividends.ts';
import type { GovernanceLeaf } from '@scs/protocol/governance-leaf.ts';
import type { Batch, Transfer } from '@scs/protocol/settlement-layout.ts';
import type { Slash } from '@scs/protocol/staking.ts';

/** Who signs a head, and what is wrong with it. `masters` are indexes as sent, so doubled and unknown ones are possible. */
export interface Votes {
  readonly generation: number;
  readonly height: number;
  readonly masters: readonly number[];
  readonly fault?: 'genesis' | 'signature' | 'path';
}
/** One of two votes offered as equivocation. `head` names what differs, `tag` whether it is a decide vote. */
export interface OfferedVote {
  readonly generation: number;
  readonly height: number;
  readonly block: number;
  readonly signer: number;
  readonly inView?: boolean;
}

/** What a recovery claim says beside genesis, state and keys. */
export interface RecoveryFigures {
  readonly round: number;
  readonly generation: number;
  readonly height: number;
}

/** `who` is an index among the accounts. Amounts in base units. */
export type Operation =
  | { kind: 'wait'; seconds: number }
  | { kind: 'deposit' | 'request_withdrawal' | 'fund'; who: number; amount: bigint }
  | { kind: 'withdraw' | 'cancel_withdrawal' | 'claim' | 'mint_due'; who: number }
  | { kind: 'settle'; votes: Votes; batch: Batch }
  | { kind: 'reward_nodes'; votes: Votes; number: bigint; transfers: readonly Transfer[] }
  | { kind: 'publish_dividends'; votes: Votes; number: bigint; shares: readonly Transfer[]; total: bigint; terms: DividendTerms }
  | { kind: 'roll_over'; who: number; number: bigint }
  | { kind: 'claim_dividends'; who: number; claims: readonly DividendClaim[] }
  | { kind: 'advance'; votes: Votes; to: number }
  | { kind: 'stake'; who: number; role: number; amount: bigint }
  | { kind: 'stake_master'; who: number; amount: bigint; generation: number; master: number; signedFor: number }
  | { kind: 'request_unbond'; who: number; role: number; amount: bigint }
  | { kind: 'cancel_unbond' | 'withdraw_stake'; who: number; role: number }
  | { kind: 'slash'; votes: Votes; slash: Slash }
  | { kind: 'govern'; votes: Votes; leaf: GovernanceLeaf }
  | { kind: 'open_recovery'; claim: RecoveryFigures; signers: readonly number[]; fault?: 'genesis' | 'signature' | 'equal keys' }
  | { kind: 'cancel_recovery'; votes: Votes }
  | { kind: 'complete_recovery' }
  | { kind: 'report'; master: number; votes: readonly [OfferedVote, OfferedVote] };
