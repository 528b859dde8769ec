/** A recovery by offline keys, from the claim to the genesis file that goes on with it (rules N9, P5; docs/contracts.md). */
import { MoveVector } from '@aptos-labs/ts-sdk';
import {
  certificateFault,
  committeeOf,
  decodeCanonical,
  decodeSuccession,
  encodeHead,
  encodeSuccession,
  fromHex,
  genesisDigest,
  isReplacement,
  publicKeyOf,
  sign,
  signSeat,
  succeeded,
  verifySignature,
  type Genesis,
  type Head,
  type LoggedBlock,
  type RecoveryLink,
  type Seat,
  type Succession,
} from '@scs/protocol';
import { encodeRecoveryClaim, recoveryMessage } from '@scs/protocol/recovery.ts';
import type { Call, Ledger } from './chain/ledger.ts';
import { CliError } from './errors.ts';

const invalid = (why: string): never => {
  throw new CliError('RecoveryInvalid', why);
};
const reason = (cause: unknown): string => (cause instanceof Error ? cause.message.slice(0, 300) : String(cause));

/** The file that goes from hand to hand. Throws CliError. */
export const readLink = (text: string, from: string): RecoveryLink => {
  try {
    const [link] = decodeSuccession(new TextEncoder().encode(`[${text.trim()}]`));
    return link && !isReplacement(link) ? link : invalid(`${from} holds no claim.`);
  } catch (cause) {
    return invalid(`${from} is not a recovery file: ${reason(cause)}`);
  }
};
export const writeLink = (link: RecoveryLink): string => `${new TextDecoder().decode(encodeSuccession([link])).slice(1, -1)}\n`;

/** The certificate of the last block of a master's log. Throws CliError unless two masters of this genesis gave it. */
export const certificateOfLine = (line: string, genesis: Genesis): LoggedBlock['certificate'] => {
  let certificate: LoggedBlock['certificate'];
  try {
    ({ certificate } = decodeCanonical(new TextEncoder().encode(line)) as LoggedBlock);
    const fault = certificateFault(certificate, genesisDigest(genesis), committeeOf(genesis));
    if (fault) invalid(`The last block of the log is not certified: ${fault.code}.`);
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    return invalid('The last line is no block of a log. Give what main.mjs log printed.');
  }
  return certificate;
};

/** The call that ends the recovery under way. Throws CliError when there is none, or the block is no higher than it starts from (N9). */
export const cancelCall = ({ head, votes }: LoggedBlock['certificate'], { pending, generation }: RecoveryStatus): Call => {
  if (!pending) return invalid('No recovery is under way: there is nothing to end.');
  if (head.generation !== generation)
    return invalid(`The block is of generation ${head.generation}, and the chain is in ${generation}: it proves nothing there.`);
  if (head.height <= pending.height)
    return invalid(`The recovery starts above height ${pending.height}; a block at ${head.height} does not speak against it.`);
  return {
    name: 'recovery::cancel',
    args: [
      MoveVector.U8(encodeHead(head)),
      MoveVector.U8(votes.map((v) => v.master)),
      new MoveVector(votes.map((v) => MoveVector.U8(fromHex(v.signature)))),
    ],
  };
};

/** What a recovery key is about to sign, in words: nobody signs what they can't read. */
export const claimLines = (genesis: Genesis, { claim, signatures, seats }: RecoveryLink): string[] => {
  const short = (hex: string): string => `${hex.slice(0, 16)}...`;
  const seatOf = (master: number) => seats.find(({ terms }) => terms.master === master && terms.publicKey === claim.keys[master]);
  return [
    `genesis      ${claim.genesis}${claim.genesis === genesisDigest(genesis) ? ', the one given' : ', NOT the one given'}`,
    `claim        number ${claim.round}, to generation ${claim.generation}`,
    `goes on      above height ${claim.height}, state ${short(claim.stateRoot)}; what was decided above is lost`,
    ...claim.keys.map((key, i) => {
      if (genesis.masters[i]?.publicKey === key) return `master ${i}     ${key}, as before`;
      const reward = seatOf(i)?.terms.rewardAddress;
      return `master ${i}     ${key}, NEW; ${reward ? `its rewards go to ${reward}` : 'without a seat of its own'}`;
    }),
    `signed by    ${signatures.length === 0 ? 'nobody yet' : `recovery keys ${signatures.map(({ key }) => key).join(' and ')}`}`,
  ];
};
/** Throws CliError unless both nodes tell the same of the recovery: one alone may lie, or lag. */
export const sameStatus = (one: RecoveryStatus, other: RecoveryStatus): RecoveryStatus => {
  const told = ({ round, generation, keys }: RecoveryStatus): string => [round, generation, ...keys].join();
  if (told(one) !== told(other))
    throw new CliError(
      'NodesDisagree',
      `One node is in generation ${one.generation} (claim ${one.round}), the other in ${other.generation} (claim ${other.round}), or they name other masters. Wait until both are up to date, or ask a third.`,
    );
  return one;
};

export interface RecoveryStatus {
  readonly round: bigint;
  /** The claim under way. `ripensAt`: seconds of chain time. */
  readonly pending?: { readonly generation: bigint; readonly height: bigint; readonly ripensAt: bigint };
  readonly generation: bigint;
  /** Of the current generation. */
  readonly keys: readonly string[];
  /** The highest height that a certificate was shown of: a claim may not start below. */
  readonly highest: bigint;
}
export const recoveryStatus = async (ledger: Pick<Ledger, 'view'>): Promise<RecoveryStatus> => {
  const whole = (value: unknown): bigint => BigInt(String(value));
  const [round, isPending, next, height, ripensAt] = await ledger.view('recovery::pending', []);
  const [generation, keys] = await ledger.view('committee::current', []);
  const [highest] = await ledger.view('committee::highest', []);
  return {
    round: whole(round),
    generation: whole(generation),
    keys: Array.isArray(keys) ? keys.map((key) => String(key).replace(/^0x/, '')) : [],
    highest: whole(highest),
    ...(isPending === true && { pending: { generation: whole(next), height: whole(height), ripensAt: whole(ripensAt) } }),
  };
};

/** A new master of the next generation; its own durable key signs what it says of itself. */
export interface NewMaster {
  readonly master: number;
  readonly seed: string;
  readonly tlsAuthority: string;
  readonly rewardAddress: string;
}
/** A claim for the next generation, unsigned. Throws CliError when the height lies below what the chain knows to be certified. */
export const newClaim = (genesis: Genesis, status: RecoveryStatus, head: Head, replaced: readonly NewMaster[]): RecoveryLink => {
  const { generation } = committeeOf(genesis);
  if (status.generation !== generation)
    invalid(
      `The chain is in generation ${status.generation}, the genesis file in ${generation}. Take the file that the last recovery made.`,
    );
  if (head.height < status.highest)
    invalid(`Height ${status.highest} was certified to the chain: nobody may start below it, at ${head.height}.`);
  const next = generation + 1n;
  const group = genesisDigest(genesis);
  const seats = replaced.map(({ master, seed, tlsAuthority, rewardAddress }): Seat =>
    signSeat(seed, group, { generation: next, master, publicKey: publicKeyOf(seed), tlsAuthority, rewardAddress }),
  );
  const keys = genesis.masters.map(({ publicKey }, i) => seats.find(({ terms }) => terms.master === i)?.terms.publicKey ?? publicKey);
  if (new Set(keys).size !== 3) invalid('Two masters would have one key.');
  const { height, stateRoot } = head;
  return { claim: { genesis: group, round: status.round + 1n, generation: next, height, stateRoot, keys }, signatures: [], seats };
};

const holds = (genesis: Genesis, claim: RecoveryLink['claim'], { key, signature }: RecoveryLink['signatures'][number]): boolean =>
  verifySignature(genesis.recoveryKeys[key] ?? '', recoveryMessage(claim), signature);

/** Throws CliError when the seed is of no recovery key of this genesis, or the claim of another genesis. */
export const signLink = (genesis: Genesis, link: RecoveryLink, seed: string): RecoveryLink => {
  const { claim, signatures } = link;
  if (claim.genesis !== genesisDigest(genesis)) invalid('The claim is of another genesis.');
  const key = genesis.recoveryKeys.indexOf(publicKeyOf(seed));
  if (key < 0) invalid('The key is none of the recovery keys of this genesis.');
  const others = signatures.filter((s) => s.key !== key);
  const all = [...others, { key, signature: sign(seed, recoveryMessage(claim)) }];
  return { ...link, signatures: all.toSorted((a, b) => a.key - b.key) };
};

/** The call that opens the recovery. Throws CliError unless two recovery keys signed. */
export const openCall = (genesis: Genesis, { claim, signatures }: RecoveryLink): Call => {
  const sound = signatures.filter((s) => holds(genesis, claim, s));
  if (sound.length < 2) invalid('Two of the three recovery keys must sign the claim first: kubectl symphony recover sign.');
  return {
    name: 'recovery::open',
    args: [
      MoveVector.U8(encodeRecoveryClaim(claim)),
      MoveVector.U8(sound.map((s) => s.key)),
      new MoveVector(sound.map((s) => MoveVector.U8(fromHex(s.signature)))),
    ],
  };
};

/** The links with one more. Throws CliError unless the chain has completed just this recovery, and the whole holds. */
export const completed = (first: Genesis, links: Succession, link: RecoveryLink, status: RecoveryStatus): Succession => {
  const { generation, keys } = link.claim;
  if (status.generation !== generation || keys.some((key, i) => key !== status.keys[i]))
    invalid(
      `The chain is in generation ${status.generation}, not yet in this recovery's: kubectl symphony recover status says what it waits for.`,
    );
  // the same masters may have been claimed before, from another height: by a claim that was replaced or ended
  if (link.claim.round !== status.round)
    invalid(
      `The chain's last claim is number ${status.round}, this file's ${link.claim.round}. Take the file of the claim that it completed.`,
    );
  const all = [...links, link];
  try {
    succeeded(first, all);
  } catch (cause) {
    return invalid(reason(cause));
  }
  return all;
};
