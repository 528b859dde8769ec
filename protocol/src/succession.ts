/**
 * Who the masters are today (rules N9, P5, G5, G7). The genesis names the first committee; each link of a succession appoints the next, and
 * says the height above which that begins. There are two kinds:
 * - a recovery: what two of three recovery keys signed. The chain makes everyone wait before it counts (`scs::recovery`); whoever hands the
 *   file to a program has seen it completed there.
 * - a replacement: what the committee before decided (`rules/replacement.ts`), in the last block that it certified.
 *
 * The genesis of a group with successors is the same genesis, with the same digest, and the masters of today: `succeeded` makes that
 * object, `genesisAt` gives the masters of an earlier generation, for blocks and certificates of that time.
 */
import { z } from 'zod';
import { certificateFault, FIRST_GENERATION, MASTERS, type Committee } from './certificate.ts';
import { concat, fromHex } from './encoding/bytes.ts';
import { decodeCanonicalAs, encodeCanonical } from './encoding/canonical.ts';
import { statementFits } from './evidence.ts';
import { decodeGenesis, derivedGenesis, encodeGenesis, type Genesis, genesisDigest } from './genesis.ts';
import { verifySignature } from './keys.ts';
import { provesEntry } from './merkle.ts';
import { recoveryMessage } from './recovery.ts';
import { Seat } from './seat.ts';
import { committeeKey, encodeCommittee } from './settlement-layout.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().regex(/^[0-9a-f]{128}$/);
const number = z
  .bigint()
  .min(0n)
  .max(2n ** 62n);
export const RecoveryClaimFile = z.strictObject({
  genesis: digest,
  round: number,
  generation: number,
  height: number,
  stateRoot: digest,
  keys: z.array(digest).length(3),
});
const RecoveryLink = z.strictObject({
  claim: RecoveryClaimFile,
  /** By recovery keys of the genesis; `key` is the index 0..2. Two must hold (`succeeded`); while they are gathered there are fewer. */
  signatures: z.array(z.strictObject({ key: z.int().min(0).max(2), signature })).max(3),
  /** Of masters with another key than before, in any order. */
  seats: z.array(Seat).max(3),
});
export type RecoveryLink = z.infer<typeof RecoveryLink>;
/** What the rules write when a committee hands over (record `succession/<generation>`): from the height after this one. */
const Handover = z.strictObject({ seat: Seat, keys: z.array(digest).length(MASTERS), last: number });
export type Handover = z.infer<typeof Handover>;
const path = z.array(digest).max(256);
const ReplacementLink = z.strictObject({
  handover: Handover,
  /** Of block `handover.last`, by the committee that hands over. */
  certificate: z.strictObject({
    head: z.strictObject({ genesis: digest, generation: number, height: number, stateRoot: digest, block: digest }),
    votes: z.array(z.strictObject({ master: z.int().min(0).max(2), signature })).max(MASTERS),
  }),
  /** From the record `succession/<generation>` to the certified root, and from the contracts' leaf `committee/<generation>`. */
  path,
  committeePath: path,
});
export type ReplacementLink = z.infer<typeof ReplacementLink>;
const SuccessionLink = z.union([RecoveryLink, ReplacementLink]);
export type SuccessionLink = z.infer<typeof SuccessionLink>;
export const isReplacement = (link: SuccessionLink): link is ReplacementLink => 'handover' in link;
/** Generation that a link appoints. */
export const appointedBy = (link: SuccessionLink): bigint =>
  isReplacement(link) ? link.handover.seat.terms.generation : link.claim.generation;

const Succession = z.array(SuccessionLink).max(1_000);
export type Succession = z.infer<typeof Succession>;

export const MAX_SUCCESSION_BYTES = 4 * 1024 * 1024;
export const encodeSuccession = (links: Succession): Uint8Array => encodeCanonical(links);
/** Throws ZodError, RangeError or SyntaxError on anything that is not a succession in its one spelling. */
export const decodeSuccession = (bytes: Uint8Array): Succession => {
  if (bytes.length > MAX_SUCCESSION_BYTES) throw new RangeError(`a succession of ${bytes.length} bytes exceeds ${MAX_SUCCESSION_BYTES}`);
  return decodeCanonicalAs((value) => Succession.parse(value), bytes);
};

const NEWLINE = 10; // never in canonical bytes of a genesis: strings escape it
/** What programs are given: the genesis, and after a recovery a line with the succession. The group's digest is that of the first line. */
export const encodeGenesisFile = (first: Genesis, links: Succession): Uint8Array =>
  links.length === 0 ? encodeGenesis(first) : concat(encodeGenesis(first), Uint8Array.of(NEWLINE), encodeSuccession(links));
/** The genesis as its group began, and the links since. Throws ZodError, RangeError or SyntaxError on anything that is not such a file. */
export const readGenesisFile = (bytes: Uint8Array): { readonly first: Genesis; readonly links: Succession } => {
  const end = bytes.indexOf(NEWLINE);
  if (end < 0) return { first: decodeGenesis(bytes), links: [] };
  return { first: decodeGenesis(bytes.subarray(0, end)), links: decodeSuccession(bytes.subarray(end + 1)) };
};
/** The genesis with the masters of today. Throws as `readGenesisFile` and `succeeded`. */
export const decodeGenesisFile = (bytes: Uint8Array): Genesis => {
  const { first, links } = readGenesisFile(bytes);
  return succeeded(first, links);
};

/** One committee's time. */
type Masters = Pick<Genesis, 'masters'>;
interface Generation<G> {
  readonly genesis: G;
  readonly number: bigint;
  /** Height that it begins above, and the state there; absent for the first. */
  readonly base?: Base;
}
/** Generations of those made by `succeeded`, in order, by the object: they are no part of the genesis' bytes. */
const generations = new WeakMap<object, readonly Generation<Genesis>[]>();
const generationsOf = <G extends Masters>(genesis: G): readonly Generation<Masters>[] =>
  generations.get(genesis) ?? [{ genesis, number: FIRST_GENERATION }];

const fail = (link: number, why: string): never => {
  throw new RangeError(`SuccessionInvalid: link ${link + 1}: ${why}`);
};
/** The masters after those of `before`: whose key is new says the rest of itself in its seat. */
const mastersOf = (
  before: Generation<Genesis>,
  { generation, keys, seats }: { readonly generation: bigint; readonly keys: readonly string[]; readonly seats: readonly Seat[] },
  at: number,
  group: string,
): Genesis['masters'] =>
  keys.map((publicKey, master) => {
    const same = before.genesis.masters[master];
    if (same?.publicKey === publicKey) return same;
    const seat = seats.find(({ terms }) => terms.master === master && terms.publicKey === publicKey && terms.generation === generation);
    if (!seat) return fail(at, `master ${master} has a new key and no seat`);
    const { tlsAuthority, rewardAddress } = seat.terms;
    if (!statementFits(publicKey, 'master.seat', group, seat.terms, seat.signature))
      return fail(at, `the seat of master ${master} is not signed by its key`);
    return { publicKey, tlsAuthority, rewardAddress };
  });

interface Base {
  readonly height: bigint;
  readonly stateRoot: string;
}
interface Appointed {
  readonly generation: bigint;
  readonly keys: readonly string[];
  readonly seats: readonly Seat[];
  readonly base: Base;
}
const byRecovery = ({ claim, signatures, seats }: RecoveryLink, genesis: Genesis, at: number, group: string): Appointed => {
  if (claim.genesis !== group) fail(at, 'it is of another genesis');
  const signers = signatures.filter((s) => verifySignature(genesis.recoveryKeys[s.key] ?? '', recoveryMessage(claim), s.signature));
  if (new Set(signers.map(({ key }) => key)).size < 2) fail(at, 'two of the three recovery keys must sign');
  const { generation, keys, height, stateRoot } = claim;
  return { generation, keys, seats, base: { height, stateRoot } };
};
/** State key of what hands over to a generation. */
export const handoverKey = (generation: bigint): string => `succession/${generation}`;
/** The leaf that the contracts read (`committee::advance`). */
export const committeeLeaf = ({ handover: { seat, keys } }: ReplacementLink): { readonly key: string; readonly value: Uint8Array } => {
  const { generation } = seat.terms;
  return { key: committeeKey(generation), value: encodeCommittee({ generation, keys }) };
};
const byGovernance = (link: ReplacementLink, before: Generation<Genesis>, at: number, group: string): Appointed => {
  const { handover, certificate } = link;
  const { head } = certificate;
  const { generation, master, publicKey } = handover.seat.terms;
  const bad = certificateFault(certificate, group, { generation: before.number, keys: keysOf(before) });
  if (bad) fail(at, `the masters before did not certify it: ${bad.code}`);
  if (head.height !== handover.last) fail(at, 'it is certified at another height than it names');
  const { keys } = handover;
  if (keysOf(before).with(master, publicKey).join() !== keys.join()) fail(at, 'another seat than the one it names has a new key');
  const committee = committeeLeaf(link);
  const entries = [
    { key: handoverKey(generation), value: encodeCanonical(handover), siblings: link.path },
    { ...committee, siblings: link.committeePath },
  ];
  for (const { key, value, siblings } of entries)
    if (!provesEntry(fromHex(head.stateRoot), key, value, { siblings: siblings.map(fromHex) })) fail(at, `${key} is not in that state`);
  return { generation, keys, seats: [handover.seat], base: { height: head.height, stateRoot: head.stateRoot } };
};

/** Of those made by `succeeded`: what they were made of. */
const successions = new WeakMap<object, { readonly first: Genesis; readonly links: Succession }>();
/** The genesis as its group began, and the links since. */
export const successionOf = (genesis: Genesis): { readonly first: Genesis; readonly links: Succession } =>
  successions.get(genesis) ?? { first: genesis, links: [] };

/**
 * The genesis with the masters that this succession ends with. Throws RangeError `SuccessionInvalid` unless each link appoints the next
 * generation, from no lower height, with two signatures of recovery keys that the genesis names, or by a certificate of the one before.
 */
export const succeeded = (genesis: Genesis, links: Succession): Genesis => {
  const group = genesisDigest(genesis);
  let all: readonly Generation<Genesis>[] = [{ genesis, number: FIRST_GENERATION }];
  for (const [at, link] of links.entries()) {
    const before = all.at(-1) ?? fail(at, 'there is none before');
    if (appointedBy(link) !== before.number + 1n) fail(at, `it appoints generation ${appointedBy(link)} after ${before.number}`);
    const next = isReplacement(link) ? byGovernance(link, before, at, group) : byRecovery(link, genesis, at, group);
    if (next.base.height < (before.base?.height ?? 0n)) fail(at, 'it begins below the one before');
    if (new Set(next.keys).size !== MASTERS) fail(at, 'two masters have one key');
    const now = derivedGenesis(genesis, mastersOf(before, next, at, group));
    all = [...all, { genesis: now, number: next.generation, base: next.base }];
    generations.set(now, all);
    successions.set(now, { first: genesis, links: links.slice(0, at + 1) });
  }
  return all.at(-1)?.genesis ?? genesis;
};

const keysOf = ({ genesis }: Generation<Masters>): readonly string[] => genesis.masters.map(({ publicKey }) => publicKey);
/** Who certifies now, and who did before, up to which height. */
export const committeeOf = (genesis: Masters): Committee => {
  const all = generationsOf(genesis);
  const former = all.slice(0, -1).map((g, i) => ({ generation: g.number, keys: keysOf(g), last: all[i + 1]?.base?.height ?? 0n }));
  const now = all.at(-1);
  if (!now) throw new RangeError('a group has a generation');
  return {
    generation: now.number,
    keys: keysOf(now),
    ...(former.length > 0 ? { former } : {}),
    ...(now.base ? { base: now.base } : {}),
  };
};
/** The masters of a generation; of one that is not known, today's. */
export const genesisAt = (genesis: Genesis, generation: bigint): Genesis =>
  generations.get(genesis)?.find(({ number: n }) => n === generation)?.genesis ?? genesis;
