/**
 * The blocks: certified ones, decided ones above them, and what candidates would make of the state (rules X1, X2). A decided
 * block is final here; a certified one is final for everybody, since a correct master voted for it.
 */
import {
  blockDigest,
  decodeBlock,
  encodeBlock,
  headOf,
  hex,
  type Block,
  type Certificate,
  type Head,
  type State as Records,
} from '@scs/protocol';
import type { Environment } from './environment.ts';
import { admit, type Roster } from './roster.ts';

/** A block with what it makes of the state. The first tip, at a formation's base, may have no block of its own (height 0). */
export interface Tip {
  readonly head: Head;
  readonly bytes: Uint8Array;
  readonly time: number;
  readonly records: Records;
  /** Present once certified; at height 0 never. */
  readonly certificate?: Certificate;
}
export interface Chain {
  readonly certified: Tip;
  /** Decided, not certified yet, in order. */
  readonly decided: readonly Tip[];
  /** Digests of recent blocks by height, up to the last decided. */
  readonly digests: ReadonlyMap<bigint, string>;
  /** Certificates at recent checkpoint heights. */
  readonly marks: ReadonlyMap<bigint, Certificate>;
  readonly roster: Roster;
  /** One or two certified tips, the older first: whoever has fallen far behind is given its state. */
  readonly snapshots: readonly Tip[];
  /** Blocks up to here need not be kept for others: who lacks one is given the older snapshot. */
  readonly floor: bigint;
}
export type Evaluated =
  { readonly ok: true; readonly tip: Tip; readonly block: Block } | { readonly ok: false; readonly why: string; readonly code?: string };

export const lastDecided = (chain: Chain): Tip => chain.decided.at(-1) ?? chain.certified;
export const decidedHeight = (chain: Chain): bigint => lastDecided(chain).head.height;

/** Decoded blocks by their bytes, which nobody changes: one is looked at many times on its way to being decided. */
const decoded = new WeakMap<Uint8Array, { readonly block: Block | undefined }>();
/** Decoded, when the bytes are a block; from a peer, so nothing is thrown. */
export const blockOf = (bytes: Uint8Array): Block | undefined => {
  const known = decoded.get(bytes);
  if (known) return known.block;
  const block = decodedOnce(bytes);
  decoded.set(bytes, { block });
  return block;
};
/** A block of this master's own: what it spells it need not decode. */
export const madeBlock = (block: Block): { readonly digest: string; readonly block: Block; readonly bytes: Uint8Array } => {
  const bytes = encodeBlock(block);
  decoded.set(bytes, { block });
  return { digest: blockDigest(block), block, bytes };
};
const decodedOnce = (bytes: Uint8Array): Block | undefined => {
  try {
    return decodeBlock(bytes);
  } catch {
    return undefined; // a peer's rubbish is not news
  }
};

/** Height, parent, generation and time by the parent, then the rules. */
const evaluateAnew = (env: Environment, parent: Tip, bytes: Uint8Array): Evaluated => {
  const block = blockOf(bytes);
  if (!block) return { ok: false, why: 'not a block' };
  if (block.height !== parent.head.height + 1n || block.parent !== parent.head.block) return { ok: false, why: 'not on this parent' };
  if (block.generation !== env.generationAfter(parent.head)) return { ok: false, why: 'another generation' };
  if (block.time < parent.time) return { ok: false, why: 'time runs back' };
  const applied = env.rules.applyBlock(parent.records, block);
  if (!applied.ok) return { ok: false, code: applied.fault.code, why: `${applied.fault.code}: ${applied.fault.message}` };
  const head = headOf(block, env.genesis, hex(applied.state.root()));
  return { ok: true, block, tip: { head, bytes, time: block.time, records: applied.state } };
};

/** The last evaluation of a block: a view change asks for the same ones at every input until it is done. */
const known = new WeakMap<Uint8Array, { readonly env: Environment; readonly parent: Tip; readonly result: Evaluated }>();
const sameParent = (a: Tip, b: Tip): boolean => a.records === b.records && a.head.block === b.head.block && a.time === b.time;
export const evaluate = (env: Environment, parent: Tip, bytes: Uint8Array): Evaluated => {
  const last = known.get(bytes);
  if (last && last.env === env && sameParent(last.parent, parent)) return last.result;
  const result = evaluateAnew(env, parent, bytes);
  known.set(bytes, { env, parent, result });
  return result;
};

/** Heights of digests and marks that are kept below the certified one, in checkpoints. */
const KEPT_CHECKPOINTS = 4n;
/** Up to here digests are forgotten; nothing that is still to be read hangs on them. */
export const forgottenUpTo = (env: Environment, { certified }: Pick<Chain, 'certified'>): bigint =>
  certified.head.height - KEPT_CHECKPOINTS * BigInt(env.limits.checkpointEvery);
const above = <V>(map: ReadonlyMap<bigint, V>, height: bigint): Map<bigint, V> => new Map([...map].filter(([h]) => h > height));

/** The chain with a block decided on top, admissions included (N8). */
export const withDecided = (env: Environment, chain: Chain, tip: Tip, block: Block): Chain => {
  const before = lastDecided(chain).records;
  const roster = env
    .admissions(block, before)
    .reduce((r, admission) => admit(r, admission, tip.head.height, env.limits.window), chain.roster);
  return { ...chain, roster, decided: [...chain.decided, tip], digests: new Map(chain.digests).set(tip.head.height, tip.head.block) };
};

/** The first decided tip becomes certified. */
export const withCertified = (env: Environment, chain: Chain, certificate: Certificate): Chain => {
  const [tip, ...rest] = chain.decided;
  if (!tip) return chain;
  const certified = { ...tip, certificate };
  const forgotten = forgottenUpTo(env, { certified });
  const marks = above(chain.marks, forgotten);
  if (tip.head.height % BigInt(env.limits.checkpointEvery) === 0n) marks.set(tip.head.height, certificate);
  return { ...chain, ...retained(env, chain, certified), certified, decided: rest, digests: above(chain.digests, forgotten), marks };
};
/**
 * The snapshot that is offered is one interval old if it can be, so that who takes it learns the digests above from the blocks. None is made
 * while a counter waits for its first height: the state doesn't tell who speaks until then.
 */
const retained = (env: Environment, { snapshots, floor, roster }: Chain, tip: Tip): Pick<Chain, 'snapshots' | 'floor'> => {
  const every = BigInt(env.limits.snapshotEvery);
  const last = snapshots.at(-1)?.head.height ?? 0n;
  if (tip.head.height / every === last / every || roster.some(({ from }) => from > tip.head.height + 1n)) return { snapshots, floor };
  const next = [...snapshots.slice(-1), tip];
  const below = (next[0]?.head.height ?? 0n) - every;
  return { snapshots: next, floor: below > floor ? below : floor };
};

/** As `sameHead` of the protocol, without encoding: it is asked for every vote. */
export const equalHeads = (a: Head, b: Head): boolean =>
  a.height === b.height && a.block === b.block && a.stateRoot === b.stateRoot && a.generation === b.generation && a.genesis === b.genesis;
