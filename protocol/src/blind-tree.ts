/**
 * The tree of a Vault's dividends (rule K6): as `dividendTree`, but it tells nothing. It has as many leaves as policy says, however few
 * are real; each real one lies in a place that a secret chooses, beside a blind that nobody can open; so neither the count, nor a
 * claim's index, nor the siblings in its path say anything about another subject. Whatever is empty is a blind by the same secret.
 */
import { hex, utf8 } from './encoding/bytes.ts';
import { sha3 } from './encoding/hash.ts';
import { dividendLeaf, type DividendClaim } from './dividends.ts';
import type { Transfer } from './settlement-layout.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const BLIND = utf8('SCS::dividend-blind::v1');
const PLACE = utf8('SCS::dividend-place::v1');

const numberBytes = (a: number, b: number): Uint8Array => {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, a);
  view.setBigUint64(4, BigInt(b));
  return bytes;
};

/** Distinct even places below 2^`bits`, one a share, by the secret. Throws RangeError when there are more shares than places. */
const placesOf = (secret: Uint8Array, count: number, bits: number): number[] => {
  const half = 2 ** (bits - 1);
  if (count > half) throw new RangeError(`${count} shares do not fit in ${half} places`);
  const taken = new Set<number>();
  for (let i = 0; taken.size < count; i++) {
    const drawn = sha3(PLACE, secret, numberBytes(0, i));
    taken.add(new DataView(drawn.buffer, drawn.byteOffset).getUint32(0) % half);
  }
  return [...taken].map((place) => place * 2);
};

export interface BlindTree {
  readonly root: string;
  readonly count: bigint;
  /** `place`: that of the share with this index. */
  claim(number: bigint, index: number): DividendClaim;
}

/**
 * `bits`: 2^bits leaves, at most 31. Yields now and then, since a large tree takes seconds; returns the tree. Amounts must be above zero.
 * The same secret and shares give the same tree.
 */
export function* growBlindTree(secret: Uint8Array, bits: number, shares: readonly Transfer[]): Generator<undefined, BlindTree> {
  if (shares.some(({ amount }) => amount <= 0n)) throw new RangeError('dividends are above zero');
  const places = placesOf(secret, shares.length, bits);
  const blind = (level: number, at: number): Uint8Array => sha3(BLIND, secret, numberBytes(level, at));
  const levels: ReadonlyMap<number, Uint8Array>[] = [new Map(shares.map((share, i) => [places[i]!, sha3(LEAF, dividendLeaf(share))]))];
  const nodeAt = (level: number, at: number): Uint8Array => levels[level]!.get(at) ?? blind(level, at);
  for (let level = 0; level < bits; level++) {
    const above = new Map<number, Uint8Array>();
    for (const at of levels[level]!.keys()) {
      const parent = Math.floor(at / 2);
      if (!above.has(parent)) above.set(parent, sha3(NODE, nodeAt(level, parent * 2), nodeAt(level, parent * 2 + 1)));
      if (above.size % 4096 === 0) yield;
    }
    levels.push(above);
  }
  const root = hex(nodeAt(bits, 0));
  return {
    root,
    count: 2n ** BigInt(bits),
    claim: (number, index) => {
      const share = shares[index];
      if (!share) throw new RangeError(`there is no share ${index}`);
      const place = places[index]!;
      const path = Array.from({ length: bits }, (_, level) => {
        const at = Math.floor(place / 2 ** level);
        return nodeAt(level, at % 2 === 0 ? at + 1 : at - 1);
      });
      return { number, index: place, amount: share.amount, path };
    },
  };
}

/** All of it at once: for small ones. */
export const blindTree = (secret: Uint8Array, bits: number, shares: readonly Transfer[]): BlindTree => {
  const growing = growBlindTree(secret, bits, shares);
  let step = growing.next();
  while (step.done !== true) step = growing.next();
  return step.value;
};

/**
 * What each producer earns for an epoch: the public rate, `total / (pot x subjects)` of a task's share, times the subjects of theirs that
 * were charged, matched or not. Rounded down; never more than `total` together. `subjects`: the most that the Vault's size band has.
 */
export const dividendShares = (
  work: readonly { readonly account: string; readonly charged: bigint; readonly share: bigint }[],
  pot: { readonly amount: bigint; readonly total: bigint },
  subjects: bigint,
): Transfer[] => {
  const earned = new Map<string, bigint>();
  for (const { account, charged, share } of work) earned.set(account, (earned.get(account) ?? 0n) + charged * share);
  const claimed = [...earned.values()].reduce((a, b) => a + b, 0n);
  // a Vault with more subjects than its band allows pays each less, never more than the pot together
  const whole = claimed > pot.amount * subjects ? claimed : pot.amount * subjects;
  return [...earned]
    .map(([account, points]) => ({ account, amount: whole === 0n ? 0n : (points * pot.total) / whole }))
    .filter(({ amount }) => amount > 0n)
    .toSorted((a, b) => (a.account < b.account ? -1 : 1));
};
