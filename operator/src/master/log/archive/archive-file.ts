/**
 * A file of the archive (rule X1): a range of certified blocks, one after the other, gzipped, and named by the SHA-256 of exactly these
 * bytes. Whoever reads one checks that, then that each block is the child of the one before; the certificates are checked where blocks
 * come from somebody else. Votes may be any two of three, so masters' files of one range differ though their blocks do not.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { decodeCanonical, decodeCanonicalAs, digest, encodeCanonical, type Certificate } from '@scs/protocol';
import type { StoredBlock } from '../disk.ts';

/** A file ends with the block that reaches one of these: at this many bytes of blocks, or at a multiple of so many heights. */
export const FILE_BYTES = 4 * 1024 * 1024;
export const FILE_BLOCKS = 256n;
/** Of an unpacked file: `FILE_BYTES`, one block more, and their certificates. */
const MOST_BYTES = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;

export interface ArchivedRange {
  readonly first: bigint;
  readonly last: bigint;
  /** Name of the file: the first height, so that a listing is in order, and the digest of its content. */
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Digest of the block before the first, and of the last. */
  readonly parent: string;
  readonly head: string;
}
export type ArchiveFault = 'ArchiveMissing' | 'ArchiveDamaged';
export class ArchiveError extends Error {
  readonly code: ArchiveFault;
  constructor(code: ArchiveFault, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'ArchiveError';
    this.code = code;
  }
}

/** Whether a file ends with this block. */
export const endsFile = (height: bigint, bytes: number): boolean => height % FILE_BLOCKS === 0n || bytes >= FILE_BYTES;

const header = z.strictObject({ format: z.literal(1), genesis: z.string(), first: z.bigint(), last: z.bigint(), parent: z.string() });
const NAME = /^\d{16}-[0-9a-f]{64}\.blocks\.gz$/;
export const isArchiveName = (name: string): boolean => NAME.test(name);
const nameOf = (first: bigint, content: Uint8Array): string =>
  `${String(first).padStart(16, '0')}-${createHash('sha256').update(content).digest('hex')}.blocks.gz`;

const framed = (parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
const unframed = function* (bytes: Buffer): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const from = at + LENGTH_BYTES;
    at = from + bytes.readUInt32BE(at);
    if (at > bytes.length) throw new RangeError('it ends in the middle of a block');
    yield bytes.subarray(from, at);
  }
};

/** The place of a block that was decided: its commands were judged then, and reading them again would hold up the event loop. */
const place = z.object({ height: z.bigint(), parent: z.string() });
const placeOf = (bytes: Uint8Array) => place.parse(decodeCanonical(bytes));

/** Throws ArchiveError unless these blocks follow each other: each is what its certificate says, on top of the one before. Gives the ends' digests. */
export const chainOf = (blocks: readonly StoredBlock[]): { readonly parent: string; readonly head: string } => {
  let before: { readonly height: bigint; readonly digest: string } | undefined;
  let parent = '';
  for (const { height, bytes, certificate } of blocks) {
    const block = placeOf(bytes);
    const own = digest('block', bytes);
    const follows = before === undefined || (block.parent === before.digest && height === before.height + 1n);
    if (!follows || block.height !== height || certificate.head.height !== height || certificate.head.block !== own)
      throw new ArchiveError('ArchiveDamaged', `block ${height} does not follow or is not the one that was certified`);
    if (before === undefined) parent = block.parent;
    before = { height, digest: own };
  }
  return { parent, head: before?.digest ?? '' };
};

const damaged = <T>(name: string, work: () => T): T => {
  try {
    return work();
  } catch (cause) {
    throw new ArchiveError('ArchiveDamaged', `${name}: ${cause instanceof Error ? cause.message : 'does not read back'}`, { cause });
  }
};

/** One file of these blocks, at least one, in order. Throws ArchiveError when they do not follow each other. */
export const packFile = async (
  genesis: string,
  blocks: readonly StoredBlock[],
): Promise<{ readonly range: ArchivedRange; readonly content: Uint8Array }> => {
  const first = blocks[0]?.height;
  const last = blocks.at(-1)?.height;
  if (first === undefined || last === undefined) throw new RangeError('a file holds a block at least');
  const { parent, head } = damaged('the log', () => chainOf(blocks));
  const plain = framed([
    encodeCanonical({ format: 1, genesis, first, last, parent }),
    ...blocks.flatMap(({ bytes, certificate }) => [bytes, encodeCanonical(certificate)]),
  ]);
  const content = await promisify(gzip)(plain);
  const name = nameOf(first, content);
  return { range: { first, last, name, size: content.length, parent, head }, content };
};

/** Rejects with ArchiveError unless the content is what its name says, of this group, and a chain. */
export const unpackFile = async (
  genesis: string,
  name: string,
  content: Uint8Array,
): Promise<{ readonly range: ArchivedRange; readonly blocks: readonly StoredBlock[] }> => {
  const plain = await promisify(gunzip)(content, { maxOutputLength: MOST_BYTES }).catch((cause: unknown) => {
    throw new ArchiveError('ArchiveDamaged', `${name} does not unpack`, { cause });
  });
  return damaged(name, () => {
    const [about, ...parts] = [...unframed(plain)];
    const said = decodeCanonicalAs((value) => header.parse(value), about ?? new Uint8Array());
    if (nameOf(said.first, content) !== name) throw new RangeError('it is not what its name says');
    if (said.genesis !== genesis) throw new RangeError('it is of another group');
    const blocks: StoredBlock[] = [];
    for (let i = 0; i + 1 < parts.length; i += 2) {
      const certificate = decodeCanonical(parts[i + 1]!) as Certificate;
      blocks.push({ height: said.first + BigInt(i / 2), bytes: Uint8Array.from(parts[i]!), certificate });
    }
    const { parent, head } = chainOf(blocks);
    if (blocks.at(-1)?.height !== said.last || parent !== said.parent) throw new RangeError('it does not hold what its header says');
    return { range: { first: said.first, last: said.last, name, size: content.length, parent, head }, blocks };
  });
};
