/**
 * Who may sign what (rules N1, G4, T5): pure decisions over a master's persisted ballot and what it heard.
 *
 * The rules of the interim log
 *  1. A master votes once per (generation, height): for one Head, stored before it is signed, never replaced. It votes at
 *     height h+1 only when it has decided h.
 *  2. Whoever votes for a block that it didn't make holds its maker's vote already, so it holds a certificate at once
 *     ("adopting is deciding"). Only makers have undecided votes.
 *  3. Before a maker stores a first vote at a height it has heard another master say that it has none there; and between the
 *     moment at which that was said and the storing it has told nobody that it has none itself (`mayOriginate`).
 *  4. A vote that it finds it adopts, if its own checks allow. If they don't, rule 3's answer must come from the other peer.
 *     So having found two different votes it makes no block: it adopts one of the two, when it can.
 *  5. Whoever has voted and not decided can propose that block only.
 *
 * Safety. Two certificates at one height over different Heads have two votes each out of three masters, so some master
 * signed both: by rule 1 that master is not correct. Crashes, lost disks of nobody, lost, repeated and reordered messages
 * and false proposals change nothing in this. A master whose disk is blank says nothing until it is past every height at
 * which it may have voted before (`barAfterBlank`). What the interim does not tolerate is one that signs twice; MinBFT does.
 *
 * Progress. Blocks at one height made by correct masters are at most two. Suppose a, b and c each made one, and stored in
 * this order: p_a < p_b < p_c. Let t_x be when x's last rule-3 answer was said; in [t_x, p_x] x said "none" to nobody, and
 * whoever said it to x had stored nothing at t_x. c heard a or b.
 *   c heard a: then t_c < p_a, and t_c is not in [t_a, p_a], so t_c < t_a. During [t_a, p_a] lies within [t_c, p_c] c said
 *     nothing, so a heard b, at t_a, outside [t_b, p_b], so t_a < t_b (as p_a < p_b). So b could hear neither c (t_b is in
 *     [t_c, p_c]) nor a (t_b < p_a would put t_b in [t_a, p_a]). Contradiction.
 *   c heard b: then t_c < t_b likewise; b did not hear c, so it heard a: t_b < p_a, outside [t_a, p_a], so t_b < t_a. So a
 *     could hear neither c (t_a is in [t_c, p_c]) nor b (t_a is in [t_b, p_b]). Contradiction.
 * So with two makers stuck, the third master is voteless, and its vote for either decides: it will, once it hears one of
 * them and its own checks allow. What a maker can't get past the others it leaves to the next holder of the Lease, who makes
 * another block; most facts that masters check stay true (a task once seen, a batch once settled), so the third's checks end
 * up allowing what a correct maker saw.
 * What can stop the interim at a height, never make it decide wrongly: two makers stuck while the third is away (until it is
 * back; for good if it comes back with a blank disk, since its lost vote may have been for either), and a liar that says "none" to two correct masters who don't hear each other, then signs a third block. The
 * way out of both is a new generation (N9).
 */
import { sameHead, type Head, type Vote } from '@scs/protocol';

/** A block's Head with a vote over it; `bytes` are the block's canonical bytes. */
export interface VotedBlock {
  readonly head: Head;
  readonly bytes: Uint8Array;
  readonly vote: Vote;
}
/** What a master has stored: all that decides what it may sign. */
export interface Ballot {
  readonly generation: bigint;
  /** Height of the last decided block. */
  readonly decided: bigint;
  /** Own vote at `decided + 1`. */
  readonly own?: VotedBlock;
  /** No vote at or below this height: the disk was blank when others had gone on. */
  readonly bar: bigint;
}
/** A peer's answer to "how far are you, and have you voted at this height?" Its vote's signature has been checked. */
export interface Heard {
  readonly master: number;
  readonly decided: bigint;
  readonly found?: VotedBlock;
}

export type ProposalVerdict =
  | { readonly kind: 'decided' | 'behind' | 'barred' | 'examine' }
  /** Voted for the same Head before: the same vote again does no harm. */
  | { readonly kind: 'repeat' | 'otherwise'; readonly own: VotedBlock };

/** A maker's proposal at a co-signer. Only `examine` leads to a new vote. */
export const judgeProposal = (ballot: Ballot, head: Head): ProposalVerdict => {
  if (head.height <= ballot.decided) return { kind: 'decided' };
  if (head.height > ballot.decided + 1n) return { kind: 'behind' };
  if (ballot.own) return { kind: sameHead(ballot.own.head, head) ? 'repeat' : 'otherwise', own: ballot.own };
  return { kind: head.height <= ballot.bar ? 'barred' : 'examine' };
};

export type RoundStep =
  /** Blocks are missing here. */
  | { readonly kind: 'catchUp'; readonly from: number }
  /** Two votes over one Head are known: a certificate. */
  | { readonly kind: 'conclude'; readonly block: VotedBlock; readonly votes: readonly Vote[] }
  /** Ask for votes on the own stored vote's block. */
  | { readonly kind: 'repropose'; readonly own: VotedBlock }
  /** Evaluate and check this vote's block; adopt it, or call again with it among the refused. */
  | { readonly kind: 'examine'; readonly found: VotedBlock }
  | { readonly kind: 'originate' }
  | { readonly kind: 'wait'; readonly why: WaitReason };
export type WaitReason = 'NobodyHeard' | 'OneSilent' | 'TwoVotesFound' | 'BlankDisk';

/** Both orders of the same votes give the same certificate. */
const ordered = (votes: readonly Vote[]): readonly Vote[] => votes.toSorted((a, b) => a.master - b.master);

/** What the Lease's holder does next at its height, given who was heard and which found blocks its checks refused (by block digest). */
export const nextStep = (ballot: Ballot, heard: readonly Heard[], refused: ReadonlySet<string> = new Set()): RoundStep => {
  const ahead = heard.toSorted((a, b) => (a.decided > b.decided ? -1 : 1))[0];
  if (ahead && ahead.decided > ballot.decided) return { kind: 'catchUp', from: ahead.master };
  const found = heard
    .flatMap((h) => (h.found && h.found.head.height === ballot.decided + 1n ? [h.found] : []))
    .toSorted((a, b) => a.vote.master - b.vote.master);
  const all = ballot.own ? [ballot.own, ...found] : found;
  for (const [i, one] of all.entries()) {
    const other = all.slice(i + 1).find((o) => sameHead(o.head, one.head) && o.vote.master !== one.vote.master);
    if (other) return { kind: 'conclude', block: one, votes: ordered([one.vote, other.vote]) };
  }
  if (ballot.own) return { kind: 'repropose', own: ballot.own };
  if (ballot.decided + 1n <= ballot.bar) return { kind: 'wait', why: 'BlankDisk' };
  const open = found.find((f) => !refused.has(f.head.block));
  if (open) return { kind: 'examine', found: open };
  if (found.length >= 2) return { kind: 'wait', why: 'TwoVotesFound' };
  if (found.length === 1 && heard.length < 2) return { kind: 'wait', why: 'OneSilent' };
  return heard.length === 0 ? { kind: 'wait', why: 'NobodyHeard' } : { kind: 'originate' };
};

/** Rule 3: `silences` counts the "none" answers given, at the time the peer was asked, and now. */
export const mayOriginate = (ballot: Ballot, noneGivenWhenAsked: number, noneGivenNow: number): boolean =>
  ballot.own === undefined && ballot.decided + 1n > ballot.bar && noneGivenWhenAsked === noneGivenNow;

/**
 * The bar of a master whose disk is blank, from both others' answers: an earlier vote of its own at k needs one of them to
 * have voted at k-1, so none is above the highest height voted at or decided by them, plus one. A group in which nobody
 * has got anywhere is new, and has no bar. undefined until both were heard.
 */
export const barAfterBlank = (heard: readonly Heard[]): bigint | undefined => {
  if (new Set(heard.map((h) => h.master)).size < 2) return undefined;
  const seen = heard.reduce((max, h) => {
    const height = h.found ? h.found.head.height : h.decided;
    return height > max ? height : max;
  }, 0n);
  return seen === 0n ? 0n : seen + 1n;
};

export type TimeFault = { readonly code: 'TimeBeforeParent' | 'TimeOutOfBound'; readonly offByMs: number };
/**
 * T5: never below the parent's; a first proposal within `boundMs` of the voter's clock. A block voted for before may be
 * old, never ahead: a holder gains no more by letting time lag than by proposing nothing.
 */
export const timeFault = (time: number, parentTime: number, clockMs: number, boundMs: number, again: boolean): TimeFault | undefined => {
  if (time < parentTime) return { code: 'TimeBeforeParent', offByMs: parentTime - time };
  const ahead = time - clockMs;
  // log time may itself be ahead of this clock, within the bound of the clock that moved it there
  if (ahead > boundMs && time > parentTime) return { code: 'TimeOutOfBound', offByMs: ahead };
  if (!again && -ahead > boundMs) return { code: 'TimeOutOfBound', offByMs: ahead };
  return undefined;
};
