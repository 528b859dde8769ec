/**
 * Who the masters are after a recovery (rules N9, P5, G7). The genesis names the first committee; each link of a succession is what two of
 * three recovery keys signed to appoint the next, and the height from which that begins. The chain makes everyone wait
 * before a link counts (`scs::recovery`); whoever hands the file to a program has seen it completed there.
 *
 * The genesis of a group that was recovered is the same genesis, with the same digest, and the masters of today: `succeeded` makes that
 * object, `genesisAt` gives the masters of an earlier generation, for blocks and certificates of that time.
 */
import { z } from 'zod';
import type { Committee } from './certificate.ts';
import { FIRST_GENERATION } from './certificate.ts';
import { concat } from './encoding/bytes.ts';
import { decodeCanonicalAs, encodeCanonical } from './encoding/canonical.ts';
import { signStatement, statementFits } from './evidence.ts';
import { decodeGenesis, derivedGenesis, encodeGenesis, type Genesis, genesisDigest } from './genesis.ts';
import { verifySignature } from './keys.ts';
import { recoveryMessage } from './recovery.ts';

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
/** What a new master says of itself, signed by its durable key: the genesis says as much of the first ones. */
const SeatTerms = z.strictObject({
  generation: number,
  master: z.int().min(0).max(2),
  publicKey: digest,
  tlsAuthority: z.string().max(4096),
  rewardAddress: z.string().regex(/^0x[0-9a-f]{64}$/),
});
export const Seat = z.strictObject({ terms: SeatTerms, signature });
export type SeatTerms = z.infer<typeof SeatTerms>;
export type Seat = z.infer<typeof Seat>;
const Link = z.strictObject({
  claim: RecoveryClaimFile,
  /** By recovery keys of the genesis; `key` is the index 0..2. Two must hold (`succeeded`); while they are gathered there are fewer. */
  signatures: z.array(z.strictObject({ key: z.int().min(0).max(2), signature })).max(3),
  /** Of masters with another key than before, in any order. */
  seats: z.array(Seat).max(3),
});
export type SuccessionLink = z.infer<typeof Link>;
const Succession = z.array(Link).max(1_000);
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

export const signSeat = (seed: string, genesis: string, terms: SeatTerms): Seat => ({
  terms,
  signature: signStatement(seed, 'master.seat', genesis, terms),
});

/** One committee's time. */
type Masters = Pick<Genesis, 'masters'>;
interface Generation<G> {
  readonly genesis: G;
  readonly number: bigint;
  /** Height that it begins above, and the state there; absent for the first. */
  readonly base?: { readonly height: bigint; readonly stateRoot: string };
}
/** Generations of those made by `succeeded`, in order, by the object: they are no part of the genesis' bytes. */
const generations = new WeakMap<object, readonly Generation<Genesis>[]>();
const generationsOf = <G extends Masters>(genesis: G): readonly Generation<Masters>[] =>
  generations.get(genesis) ?? [{ genesis, number: FIRST_GENERATION }];

const fail = (link: number, why: string): never => {
  throw new RangeError(`SuccessionInvalid: link ${link + 1}: ${why}`);
};
const mastersOf = (before: Generation<Genesis>, { claim, seats }: SuccessionLink, at: number, group: string): Genesis['masters'] =>
  claim.keys.map((publicKey, master) => {
    const same = before.genesis.masters[master];
    if (same?.publicKey === publicKey) return same;
    const seat = seats.find(
      ({ terms }) => terms.master === master && terms.publicKey === publicKey && terms.generation === claim.generation,
    );
    if (!seat) return fail(at, `master ${master} has a new key and no seat`);
    const { tlsAuthority, rewardAddress } = seat.terms;
    if (!statementFits(publicKey, 'master.seat', group, seat.terms, seat.signature))
      return fail(at, `the seat of master ${master} is not signed by its key`);
    return { publicKey, tlsAuthority, rewardAddress };
  });

/**
 * The genesis with the masters that this succession ends with. Throws RangeError `SuccessionInvalid` unless each link appoints the next
 * generation, from no lower height, with two signatures of recovery keys that the genesis names.
 */
export const succeeded = (genesis: Genesis, links: Succession): Genesis => {
  const group = genesisDigest(genesis);
  let all: readonly Generation<Genesis>[] = [{ genesis, number: FIRST_GENERATION }];
  for (const [at, link] of links.entries()) {
    const { claim, signatures } = link;
    const before = all.at(-1) ?? fail(at, 'there is none before');
    if (claim.genesis !== group) fail(at, 'it is of another genesis');
    if (claim.generation !== before.number + 1n) fail(at, `it appoints generation ${claim.generation} after ${before.number}`);
    if (claim.height < (before.base?.height ?? 0n)) fail(at, 'it begins below the one before');
    if (new Set(claim.keys).size !== 3) fail(at, 'two masters have one key');
    const signers = signatures.filter((s) => verifySignature(genesis.recoveryKeys[s.key] ?? '', recoveryMessage(claim), s.signature));
    if (new Set(signers.map(({ key }) => key)).size < 2) fail(at, 'two of the three recovery keys must sign');
    const { height, stateRoot } = claim;
    const now = derivedGenesis(genesis, mastersOf(before, link, at, group));
    all = [...all, { genesis: now, number: claim.generation, base: { height, stateRoot } }];
  }
  const last = all.at(-1)?.genesis ?? genesis;
  if (links.length > 0) generations.set(last, all);
  return last;
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
