import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** What goes into an archive. Owner is root unless said; times are zero, so that equal content gives equal bytes. */
export type Entry = { path: string; mode: number; owner?: number } & (
  { folder: true } | { link: string } | { file: string } | { bytes: Buffer }
);

const block = 512;
const chunkSize = 1 << 20;

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

/** POSIX ustar splits long paths into a prefix of 155 bytes and a name of 100. */
const splitPath = (path: string): { prefix: string; name: string } => {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path };
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const prefix = path.slice(0, at);
    const name = path.slice(at + 1);
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100 && name !== '') return { prefix, name };
  }
  throw new Error(`path too long for an archive: ${path}`);
};

const sizeOf = (entry: Entry): number => ('file' in entry ? statSync(entry.file).size : 'bytes' in entry ? entry.bytes.length : 0);

const header = (entry: Entry, size: number): Buffer => {
  const { prefix, name } = splitPath('folder' in entry && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path);
  const owner = octal(entry.owner ?? 0, 8);
  const type = 'folder' in entry ? '5' : 'link' in entry ? '2' : '0';
  const out = Buffer.alloc(block);
  out.write(name, 0);
  out.write(octal(entry.mode, 8) + owner + owner + octal(size, 12) + octal(0, 12), 100, 'latin1');
  out.write('        ', 148, 'latin1');
  out.write(type, 156, 'latin1');
  if ('link' in entry) out.write(entry.link, 157);
  out.write('ustar\x0000', 257, 'latin1');
  out.write(prefix, 345);
  const sum = out.reduce((total, byte) => total + byte, 0);
  out.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return out;
};

function* chunksOf(file: string): Generator<Buffer> {
  const handle = openSync(file, 'r');
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkSize);
      const read = readSync(handle, chunk);
      if (read === 0) return;
      yield chunk.subarray(0, read);
    }
  } finally {
    closeSync(handle);
  }
}

/** The archive's bytes in pieces, in the order of the entries given. Throws when a file changes its size meanwhile. */
export function* tarOf(entries: readonly Entry[]): Generator<Buffer> {
  for (const entry of entries) {
    const size = sizeOf(entry);
    yield header(entry, size);
    let written = 0;
    for (const chunk of 'file' in entry ? chunksOf(entry.file) : 'bytes' in entry ? [entry.bytes] : []) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== size) throw new Error(`${entry.path} changed while it was read`);
    if (size % block !== 0) yield Buffer.alloc(block - (size % block));
  }
  yield Buffer.alloc(2 * block);
}

/** Entries in the order of their paths, each parent folder present once and before what it holds. Throws on two entries for one path. */
export const complete = (entries: readonly Entry[]): Entry[] => {
  const all = new Map<string, Entry>();
  for (const entry of entries) {
    if (all.has(entry.path)) throw new Error(`two entries for ${entry.path}`);
    all.set(entry.path, entry);
  }
  for (const { path } of entries) {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
      const folder = path.slice(0, at);
      if (!all.has(folder)) all.set(folder, { path: folder, mode: 0o755, folder: true });
    }
  }
  return [...all.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
};
