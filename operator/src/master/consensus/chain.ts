/**
 * The blocks: certified ones, decided ones above them, and what candidates would make of the state (rules X1, X2). A decided
 * block is final here; a certified one is final for everybody, since a correct master voted for it.
 */
import { decodeBlock, headOf, hex, type Block, type Certificate, type Head, type State as Records } from '@scs/protocol';
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
}
export type Evaluated = { readonly ok: true; readonly tip: Tip; readonly block: Block } | { readonly ok: false; readonly why: string };

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
  if (block.generation !== env.generation) return { ok: false, why: 'another generation' };
  if (block.time < parent.time) return { ok: false, why: 'time runs back' };
  const applied = env.rules.applyBlock(parent.records, block);
  if (!applied.ok) return { ok: false, why: `${applied.fault.code}: ${applied.fault.message}` };
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
  const every = BigInt(env.limits.checkpointEvery);
  const floor = tip.head.height - KEPT_CHECKPOINTS * every;
  const marks = above(chain.marks, floor);
  if (tip.head.height % every === 0n) marks.set(tip.head.height, certificate);
  return { ...chain, certified: { ...tip, certificate }, decided: rest, digests: above(chain.digests, floor), marks };
};

/** As `sameHead` of the protocol, without encoding: it is asked for every vote. */
export const equalHeads = (a: Head, b: Head): boolean =>
  a.height === b.height && a.block === b.block && a.stateRoot === b.stateRoot && a.generation === b.generation && a.genesis === b.genesis;
