/**
 * Bonds and penalties (rule G3): what an offence takes, how repeats climb, and the leaf that exacts it. Twin of `scs::staking`.
 */
import { bcs } from '@mysten/bcs';
import { concat, fromHex, hex, utf8 } from './encoding/bytes.ts';

/** The numbers that the contract knows them by. */
export const stakeRoles = { master: 0, enterprise: 1, producer: 2 } as const;
export type StakeRole = keyof typeof stakeRoles;
export const offences = { liveness: 0, invalid_evidence: 1, confirmed_challenge: 2, equivocation: 3 } as const;
export type Offence = keyof typeof offences;

/** Basis points of what is bonded and unbonding, by level. The last level takes membership too. */
export const PENALTIES = [100n, 1_000n, 3_000n, 10_000n] as const;
const LAST_LEVEL = PENALTIES.length - 1;

export interface Penalty {
  readonly amount: bigint;
  readonly level: number;
  readonly expelled: boolean;
}

/** What an offence takes from whoever has `held` base units and so many offences behind them: repeats climb; rounded up. */
export const penaltyOf = (held: bigint, offence: Offence, earlier: number): Penalty => {
  const level = Math.min(offences[offence] + earlier, LAST_LEVEL);
  return { amount: (held * PENALTIES[level]! + 9_999n) / 10_000n, level, expelled: level === LAST_LEVEL };
};

/** The state leaf `slash/<number>`. `share`: basis points of what is taken that go to the challenger (H4). */
export interface Slash {
  readonly number: bigint;
  readonly role: StakeRole;
  readonly offender: string;
  readonly offence: Offence;
  /** Digest of what it is for. */
  readonly case: string;
  readonly challenger: string;
  readonly share: bigint;
}

const U64 = bcs.u64().transform({ input: (n: bigint) => n, output: (text) => BigInt(text) });
const Bytes32 = bcs.fixedArray(32, bcs.u8());
const SlashBcs = bcs.struct('Slash', {
  number: U64,
  role: bcs.u8(),
  offender: Bytes32,
  grade: bcs.u8(),
  case: Bytes32,
  challenger: Bytes32,
  share: U64,
});
const bytes32 = (text: string): number[] => [...fromHex(text.replace(/^0x/, ''))];

export const slashKey = (number: bigint): string => `slash/${number}`;
export const encodeSlash = (slash: Slash): Uint8Array =>
  SlashBcs.serialize({
    number: slash.number,
    role: stakeRoles[slash.role],
    offender: bytes32(slash.offender),
    grade: offences[slash.offence],
    case: bytes32(slash.case),
    challenger: bytes32(slash.challenger),
    share: slash.share,
  }).toBytes();

/** Throws RangeError on a role or grade that there isn't. */
export const decodeSlash = (bytes: Uint8Array): Slash => {
  const { number, role, offender, grade, case: digest, challenger, share } = SlashBcs.parse(bytes);
  const text = (found: readonly number[]): string => hex(Uint8Array.from(found));
  return {
    number,
    role: nameOf(stakeRoles, role),
    offender: `0x${text(offender)}`,
    offence: nameOf(offences, grade),
    case: text(digest),
    challenger: `0x${text(challenger)}`,
    share,
  };
};
const nameOf = <N extends string>(table: Readonly<Record<N, number>>, number: number): N => {
  const found = (Object.keys(table) as N[]).find((name) => table[name] === number);
  if (found === undefined) throw new RangeError(`there is no ${number}`);
  return found;
};

/** What a master's durable key signs so that `owner` may bond for it: nobody else's bond can stand for a master. */
export const stakeMessage = (genesis: string, owner: string): Uint8Array =>
  concat(utf8('SCS::stake::v1'), fromHex(genesis), fromHex(owner.slice(2)));
