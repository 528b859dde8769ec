/**
 * The certified state: a persistent Merkle map (rules N6, X2). A binary trie over SHA3-256 of the key, in which a subtree
 * with one entry is that entry; so a path is about log2(entries) long and the root depends on the content alone.
 *
 *   leaf  = SHA3(0x00 || SHA3(key) || SHA3(value))     node = SHA3(0x01 || left || right)     empty = 32 zero bytes
 */
import { concat, equalBytes, utf8 } from './encoding/bytes.ts';
import { sha3 } from './encoding/hash.ts';

interface Leaf {
  readonly kind: 'leaf';
  readonly key: string;
  readonly path: Uint8Array;
  readonly value: Uint8Array;
  hash?: Uint8Array;
}
interface Branch {
  readonly kind: 'branch';
  readonly left: Node | undefined;
  readonly right: Node | undefined;
  hash?: Uint8Array;
}
type Node = Leaf | Branch;

const EMPTY = new Uint8Array(32);
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

const bitAt = (path: Uint8Array, depth: number): 0 | 1 => (((path[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1) as 0 | 1;
const leafHash = (path: Uint8Array, value: Uint8Array): Uint8Array => sha3(LEAF, path, sha3(value));

/** Hashes are computed when first asked for and kept: a block of many writes hashes each changed node once. */
const hashOf = (node: Node | undefined): Uint8Array => {
  if (!node) return EMPTY;
  node.hash ??= node.kind === 'leaf' ? leafHash(node.path, node.value) : sha3(NODE, hashOf(node.left), hashOf(node.right));
  return node.hash;
};

const insert = (node: Node | undefined, leaf: Leaf, depth: number): Node => {
  if (!node) return leaf;
  if (node.kind === 'leaf') {
    if (node.key === leaf.key) return leaf;
    const old = bitAt(node.path, depth) === 0 ? { left: node, right: undefined } : { left: undefined, right: node };
    return insert({ kind: 'branch', ...old }, leaf, depth);
  }
  return bitAt(leaf.path, depth) === 0
    ? { kind: 'branch', left: insert(node.left, leaf, depth + 1), right: node.right }
    : { kind: 'branch', left: node.left, right: insert(node.right, leaf, depth + 1) };
};

const without = (node: Node | undefined, key: string, path: Uint8Array, depth: number): Node | undefined => {
  if (!node) return undefined;
  if (node.kind === 'leaf') return node.key === key ? undefined : node;
  const goesLeft = bitAt(path, depth) === 0;
  const left = goesLeft ? without(node.left, key, path, depth + 1) : node.left;
  const right = goesLeft ? node.right : without(node.right, key, path, depth + 1);
  if (!left && !right) return undefined;
  if (!left && right?.kind === 'leaf') return right;
  if (!right && left?.kind === 'leaf') return left;
  return { kind: 'branch', left, right };
};

function* leavesOf(root: Node | undefined): Generator<Leaf> {
  const pending: (Node | undefined)[] = [root];
  while (pending.length > 0) {
    const node = pending.pop();
    if (node?.kind === 'leaf') yield node;
    else if (node) pending.push(node.right, node.left);
  }
}

/** The subtree below a string of bits: what the trie would be of the entries below it alone. */
const nodeAt = (root: Node | undefined, prefix: string): Node | undefined => {
  let node = root;
  for (let depth = 0; depth < prefix.length && node?.kind === 'branch'; depth++) node = prefix[depth] === '0' ? node.left : node.right;
  if (node?.kind !== 'leaf') return node;
  const { path } = node;
  for (let depth = 0; depth < prefix.length; depth++) if (String(bitAt(path, depth)) !== prefix[depth]) return undefined;
  return node;
};

/** Where both versions have a branch it is entered; below that, one side is a single entry at most and the leaves are compared. */
function* differences(before: Node | undefined, after: Node | undefined): Generator<readonly [string, Uint8Array | undefined]> {
  if (before === after) return;
  if (before?.kind === 'branch' && after?.kind === 'branch') {
    yield* differences(before.left, after.left);
    yield* differences(before.right, after.right);
    return;
  }
  const old = new Map([...leavesOf(before)].map((leaf) => [leaf.key, leaf]));
  for (const { key, value } of leavesOf(after)) {
    const known = old.get(key);
    old.delete(key);
    if (!known || !equalBytes(known.value, value)) yield [key, value];
  }
  for (const key of old.keys()) yield [key, undefined];
}

/** Siblings from the root downwards; 32 bytes each, at most 256. */
export interface MerklePath {
  readonly siblings: readonly Uint8Array[];
}

export class MerkleMap {
  readonly #root: Node | undefined;
  private constructor(root: Node | undefined) {
    this.#root = root;
  }
  static readonly empty = new MerkleMap(undefined);

  get(key: string): Uint8Array | undefined {
    const path = sha3(utf8(key));
    let node = this.#root;
    for (let depth = 0; node?.kind === 'branch'; depth++) node = bitAt(path, depth) === 0 ? node.left : node.right;
    return node?.key === key ? node.value : undefined;
  }

  set(key: string, value: Uint8Array): MerkleMap {
    return new MerkleMap(insert(this.#root, { kind: 'leaf', key, path: sha3(utf8(key)), value }, 0));
  }

  delete(key: string): MerkleMap {
    return new MerkleMap(without(this.#root, key, sha3(utf8(key)), 0));
  }

  root(): Uint8Array {
    return hashOf(this.#root);
  }

  /** The path that proves `key` under `root()`; undefined when it is absent. */
  prove(key: string): MerklePath | undefined {
    const path = sha3(utf8(key));
    const siblings: Uint8Array[] = [];
    let node = this.#root;
    for (let depth = 0; node?.kind === 'branch'; depth++) {
      const goesLeft = bitAt(path, depth) === 0;
      siblings.push(hashOf(goesLeft ? node.right : node.left));
      node = goesLeft ? node.left : node.right;
    }
    return node?.key === key ? { siblings } : undefined;
  }

  /** Entries in the order of their hashed keys: deterministic, but meaningless to people; for snapshots. */
  *entries(): Generator<readonly [string, Uint8Array]> {
    for (const { key, value } of leavesOf(this.#root)) yield [key, value];
  }

  /** Hash of the subtree with all entries whose hashed keys begin with these bits; see merkle-parts.ts. */
  hashAt(prefix: string): Uint8Array {
    return hashOf(nodeAt(this.#root, prefix));
  }
  /** Hashes of that subtree's two halves; undefined when it has fewer than two entries. */
  halvesAt(prefix: string): readonly [Uint8Array, Uint8Array] | undefined {
    const node = nodeAt(this.#root, prefix);
    return node?.kind === 'branch' ? [hashOf(node.left), hashOf(node.right)] : undefined;
  }
  *entriesAt(prefix: string): Generator<readonly [string, Uint8Array]> {
    for (const { key, value } of leavesOf(nodeAt(this.#root, prefix))) yield [key, value];
  }

  /** Entries that differ from an earlier version, undefined where deleted. Shared subtrees are skipped: the cost is that of the changes. */
  changesSince(before: MerkleMap): Generator<readonly [string, Uint8Array | undefined]> {
    return differences(before.#root, this.#root);
  }
}

/** Does `path` lead from this key and value to `root`? Also what `scs::merkle::verify` does in Move. */
export const provesEntry = (root: Uint8Array, key: string, value: Uint8Array, path: MerklePath): boolean => {
  if (path.siblings.length > 256) return false;
  const keyPath = sha3(utf8(key));
  let hash = leafHash(keyPath, value);
  for (let depth = path.siblings.length - 1; depth >= 0; depth--) {
    const sibling = path.siblings[depth]!;
    if (sibling.length !== 32) return false;
    hash = bitAt(keyPath, depth) === 0 ? sha3(NODE, concat(hash, sibling)) : sha3(NODE, concat(sibling, hash));
  }
  return equalBytes(hash, root);
};
