/**
 * From commits to decisions, from decisions to votes, from votes to certificates (MinBFT section 4.2 for the first step; rules G4,
 * N1, N6 for the others). A legal commit is a decision: with its prepare it is f + 1 of n = 2f + 1. A master votes only for what it
 * has decided, the vote's head being stored first.
 */
import { digest, QUORUM, type Certificate, type Head, type Vote } from '@scs/protocol';
import {
  blockOf,
  decidedHeight,
  equalHeads,
  evaluate,
  type Evaluated,
  lastDecided,
  type Tip,
  withCertified,
  withDecided,
} from './chain.ts';
import { endless } from './roster.ts';
import { broadcast, type HeldVote, set, streamsFor, type Turn } from './state.ts';
import { with1 } from './stream.ts';

/** `evaluate`, once for each block: a block's digest fixes its parents. */
export const evaluated = (turn: Turn, parent: Tip, digest: string, bytes: Uint8Array): Evaluated => {
  const known = turn.state.evaluated.get(digest);
  if (known) return known;
  const result = evaluate(turn.env, parent, bytes);
  set(turn, { evaluated: with1(turn.state.evaluated, digest, result) });
  return result;
};

const UNKNOWN = 'ProtocolVersionUnknown';
const halt = (turn: Turn, code: 'Fork' | 'DecidedInvalid' | typeof UNKNOWN, message: string): void => {
  set(turn, { halted: message });
  turn.out.push({ kind: 'condition', code, message });
};

/** A block is decided: its state is this master's, its admissions take effect. */
const decide = (turn: Turn, tip: Tip, bytes: Uint8Array): void => {
  const block = blockOf(bytes);
  if (!block) return;
  // at or below the base, admissions were those of the formation before
  const env = tip.head.height > turn.state.base.height ? turn.env : { ...turn.env, admissions: () => [] };
  const chain = withDecided(env, turn.state.chain, tip, block);
  set(turn, {
    chain,
    streams: streamsFor(turn.state.streams, endless(chain.roster), turn.state.base),
    progressAt: turn.state.now,
    attempts: 0,
  });
};

/** Decides what has a commit, in order of height. */
export const decideCommitted = (turn: Turn): boolean => {
  let changed = false;
  for (;;) {
    const tip = lastDecided(turn.state.chain);
    const digest = turn.state.committed.get(tip.head.height + 1n);
    const offered = digest === undefined ? undefined : turn.state.blocks.get(digest);
    if (digest === undefined || !offered) break;
    const result = evaluated(turn, tip, digest, offered.bytes);
    if (!result.ok) {
      const code = result.code === UNKNOWN ? UNKNOWN : 'DecidedInvalid';
      halt(turn, code, `block ${tip.head.height + 1n} was committed by others and is refused here: ${result.why}`);
      return true;
    }
    decide(turn, result.tip, offered.bytes);
    castVote(turn, result.tip.head);
    suspect(turn, result.tip.head.height);
    changed = true;
  }
  return changed;
};

const castVote = (turn: Turn, head: Head): void => {
  turn.out.push({ kind: 'store', record: { kind: 'vote', head } });
  const vote = turn.env.sign(head);
  keepVote(turn, { head, vote });
  broadcast(turn, { kind: 'vote', head, vote });
};

/** Votes are kept this far below the certified height, to be held against later ones. */
export const VOTES_BELOW = 256n;
const OFFENCES_KEPT = 64;
const offenceOf = ({ head, vote }: HeldVote): string => `${head.height}/${vote.master}`;
const keepVote = (turn: Turn, held: HeldVote): void => {
  const { height } = held.head;
  const at = turn.state.votes.get(height) ?? new Map<number, HeldVote>();
  const known = at.get(held.vote.master);
  if (!known) return set(turn, { votes: with1(turn.state.votes, height, with1(at, held.vote.master, held)) });
  if (equalHeads(known.head, held.head) || turn.state.offences.has(offenceOf(held))) return;
  const offences = new Set([...turn.state.offences, offenceOf(held)].slice(-OFFENCES_KEPT));
  set(turn, { offences, suspects: turn.state.suspects.filter((s) => !offences.has(offenceOf(s))) });
  turn.out.push({ kind: 'evidence', first: known, second: held });
};

const SUSPECTS_MOST = 16;
/** Of the votes at a decided height, those against the decision (G4): kept, and told on. */
const suspect = (turn: Turn, height: bigint): void => {
  const votes = [...(turn.state.votes.get(height)?.values() ?? [])];
  const digest = turn.state.chain.digests.get(height);
  if (digest === undefined) return;
  const decided = votes.find(({ head, vote }) => head.block === digest && vote.master === turn.env.index)?.head;
  const against = votes.filter(
    (held) => (decided ? !equalHeads(held.head, decided) : held.head.block !== digest) && !turn.state.offences.has(offenceOf(held)),
  );
  if (against.length === 0) return;
  const others = turn.state.suspects.filter((s) => !against.some((a) => offenceOf(a) === offenceOf(s)));
  set(turn, { suspects: [...others, ...against].slice(-SUSPECTS_MOST) });
};
/** With each status: whoever holds the same master's other vote has the evidence, and answers with it. */
export const passOnSuspects = (turn: Turn): void => {
  for (const { head, vote } of turn.state.suspects) broadcast(turn, { kind: 'vote', head, vote });
};

/** A vote from a peer, its own or passed on. Two of one master at a height are evidence; the other half goes back to whoever lacks it. */
export const takeVote = (turn: Turn, head: Head, vote: Vote): void => {
  const { chain, votes } = turn.state;
  const { env } = turn;
  if (head.genesis !== env.genesis || head.generation !== env.generation) return;
  if (head.height > decidedHeight(chain) + BigInt(env.limits.window) || head.height + VOTES_BELOW <= chain.certified.head.height) return;
  const known = votes.get(head.height)?.get(vote.master);
  if (known && (equalHeads(known.head, head) || turn.state.offences.has(offenceOf({ head, vote })))) return;
  if (!env.holds.vote(head, vote)) return;
  keepVote(turn, { head, vote });
  if (known) broadcast(turn, { kind: 'vote', head: known.head, vote: known.vote });
  suspect(turn, head.height);
};

const certificateFor = (turn: Turn, head: Head): Certificate | undefined => {
  const votes = [...(turn.state.votes.get(head.height)?.values() ?? [])].filter((v) => equalHeads(v.head, head)).map((v) => v.vote);
  if (votes.length < QUORUM) return undefined;
  return { head, votes: votes.toSorted((a, b) => a.master - b.master) };
};

export const prune = (turn: Turn): void => {
  const { state, env } = turn;
  const certified = state.chain.certified.head.height;
  const recent = certified - BigInt(env.limits.checkpointEvery + env.limits.window);
  const blocks = new Map([...state.blocks].filter(([, { height }]) => height > recent));
  set(turn, {
    blocks,
    evaluated: new Map([...state.evaluated].filter(([digest]) => (blocks.get(digest)?.height ?? 0n) > certified)),
    judged: new Map([...state.judged].filter(([digest]) => (blocks.get(digest)?.height ?? 0n) > certified)),
    committed: new Map([...state.committed].filter(([height]) => height > certified)),
    votes: new Map([...state.votes].filter(([height]) => height + VOTES_BELOW > certified)),
    suspects: state.suspects.filter(({ head }) => head.height + VOTES_BELOW > certified),
  });
};

const certify = (turn: Turn, certificate: Certificate): void => {
  const tip = turn.state.chain.decided[0];
  if (!tip) return;
  set(turn, { chain: withCertified(turn.env, turn.state.chain, certificate) });
  turn.out.push({ kind: 'store', record: { kind: 'certified', tip, certificate } });
  turn.out.push({ kind: 'decided', tip, certificate });
  prune(turn);
};

/** Certifies what has two votes, in order of height. */
export const certifyVoted = (turn: Turn): boolean => {
  let changed = false;
  for (;;) {
    const tip = turn.state.chain.decided[0];
    const certificate = tip && certificateFor(turn, tip.head);
    if (!certificate) return changed;
    certify(turn, certificate);
    changed = true;
  }
};

/** A certified block from a peer: the way to catch up. Only the next one is taken. */
export const takeCertified = (turn: Turn, bytes: Uint8Array, certificate: Certificate): void => {
  const { chain } = turn.state;
  const { head } = certificate;
  if (head.height <= chain.certified.head.height) {
    for (const vote of certificate.votes.slice(0, 3)) takeVote(turn, head, vote);
    return;
  }
  if (head.height !== chain.certified.head.height + 1n || !turn.env.holds.certificate(certificate)) return;
  const [decided] = chain.decided;
  if (!decided) {
    if (digest('block', bytes) !== head.block) return; // before it is looked into: others than the certified bytes may cost anything
    const result = evaluate(turn.env, chain.certified, bytes);
    if (!result.ok && result.code === UNKNOWN) return halt(turn, UNKNOWN, `block ${head.height} is certified: ${result.why}`);
    if (!result.ok) return;
    if (!equalHeads(result.tip.head, head)) return halt(turn, 'Fork', `certified block ${head.height} gives another state here`);
    decide(turn, result.tip, bytes);
    suspect(turn, head.height);
  } else if (!equalHeads(decided.head, head)) return halt(turn, 'Fork', `another block is certified at height ${head.height}`);
  for (const vote of certificate.votes) keepVote(turn, { head, vote });
  certify(turn, certificate);
};
