/**
 * What a new view must offer again (MinBFT section 4.4, the set S of NEW-VIEW): at each height above the base, the block of the
 * highest view that either of two streams holds. Any decision has an identity in common with the two, and its stream has no hole.
 */
import { type Chain, decidedHeight, evaluate, forgottenUpTo, lastDecided, type Tip } from './chain.ts';
import type { Environment } from './environment.ts';
import type { Change } from './stream.ts';

export interface Plan {
  readonly blocks: ReadonlyMap<bigint, string>;
  /** Blocks that both streams hold in some view: two masters took or made them. */
  readonly vouched: ReadonlySet<string>;
}
export type Planned = { readonly kind: 'plan'; readonly plan: Plan } | { readonly kind: 'wait'; readonly why: string };

const candidateAt = (changes: readonly Change[], height: bigint): { readonly block: string; readonly vouched: boolean } | undefined => {
  const entries = changes.flatMap((c) => c.entries.get(height) ?? []);
  const best = entries.toSorted((a, b) => b.view - a.view)[0];
  return best && { block: best.block, vouched: entries.length > 1 && entries.every((e) => e.block === best.block) };
};

/** A legally prepared block. */
export interface Offered {
  readonly height: bigint;
  readonly bytes: Uint8Array;
}
/** `blocks` holds the bytes of every legally prepared block above the certified height. */
export const planAbove = (
  env: Environment,
  chain: Chain,
  blocks: ReadonlyMap<string, Offered>,
  base: bigint,
  changes: readonly Change[],
): Planned => {
  if (chain.certified.head.height < base) return { kind: 'wait', why: 'blocks up to the base are missing' };
  const decided = decidedHeight(chain);
  const plan = new Map<bigint, string>();
  const vouched = new Set<string>();
  let tip: Tip = lastDecided(chain);
  for (let height = base + 1n; ; height += 1n) {
    const candidate = candidateAt(changes, height);
    if (!candidate) break;
    if (height <= decided) {
      // Read late: what is decided here in this view or a later one need not be in its plan. Another candidate than the decided
      // block was none that a correct master takes, or the view would have been bound to it.
      const digest = chain.digests.get(height);
      // skipped by a snapshot, and recent: what lies above it may be in the plan
      if (digest === undefined && height > forgottenUpTo(env, chain))
        return { kind: 'wait', why: `what is decided at ${height} is not known` };
      if (candidate.block !== digest) break;
    } else {
      const bytes = blocks.get(candidate.block)?.bytes;
      if (!bytes) return { kind: 'wait', why: `block ${candidate.block} is missing` };
      const evaluated = evaluate(env, tip, bytes);
      if (!evaluated.ok) break; // no correct master committed it: nothing at or above it is decided
      tip = evaluated.tip;
    }
    plan.set(height, candidate.block);
    if (candidate.vouched) vouched.add(candidate.block);
  }
  return { kind: 'plan', plan: { blocks: plan, vouched } };
};
