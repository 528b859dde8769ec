/** Where backups are: a folder on a volume of its own, or a bucket. Names are `<id>/<file>`; a file is there whole or not at all. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CloudError } from '../cloud/aws.ts';
import { PART_BYTES, type S3Bucket } from '../cloud/s3.ts';

export class BackupError extends Error {
  readonly code: 'BackupUnavailable' | 'BackupMissing' | 'BackupDamaged';
  constructor(code: BackupError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'BackupError';
    this.code = code;
  }
}

/** Every verb throws BackupError. */
export interface BackupPlace {
  put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** BackupMissing when it isn't there. */
  get(name: string): AsyncIterable<Uint8Array>;
  /** Sorted. */
  list(): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
}

const unavailable = (error: unknown): BackupError =>
  error instanceof BackupError ? error : new BackupError('BackupUnavailable', 'the place of the backups can’t be read or written', error);
const isMissing = (error: unknown): boolean =>
  error instanceof CloudError ? error.code === 'CloudMissing' : error instanceof Error && 'code' in error && error.code === 'ENOENT';
const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw unavailable(error);
  }
};
const attempted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks;
  } catch (error) {
    throw isMissing(error) ? new BackupError('BackupMissing', 'there is no such backup', error) : unavailable(error);
  }
};
const flush = async (path: string): Promise<void> => {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

export class FolderPlace implements BackupPlace {
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }
  put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return attempt(async () => {
      const path = join(this.#folder, name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await pipeline(chunks, createWriteStream(`${path}.partial`, { mode: 0o600 }));
      await flush(`${path}.partial`);
      await rename(`${path}.partial`, path);
      await flush(dirname(path));
    });
  }
  get(name: string): AsyncIterable<Uint8Array> {
    return attempted(createReadStream(join(this.#folder, name), { highWaterMark: 1024 ** 2 }) as AsyncIterable<Uint8Array>);
  }
  list(): Promise<readonly string[]> {
    return attempt(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(this.#folder.length + 1))
        .toSorted();
    });
  }
  remove(name: string): Promise<void> {
    return attempt(() => rm(join(this.#folder, name), { force: true }));
  }
}

export class BucketPlace implements BackupPlace {
  readonly #bucket: S3Bucket;
  /** Ends with a slash. */
  readonly #under: string;
  constructor(bucket: S3Bucket, under: string) {
    this.#bucket = bucket;
    this.#under = under;
  }
  put(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return attempt(() => this.#bucket.putStream(this.#under + name, chunks));
  }
  get(name: string): AsyncIterable<Uint8Array> {
    return attempted(this.#chunks(this.#under + name));
  }
  async *#chunks(name: string): AsyncGenerator<Uint8Array, void> {
    const { bytes, etag } = await this.#bucket.stat(name);
    for (let at = 0; at < bytes; at += PART_BYTES) yield await this.#bucket.range(name, at, Math.min(bytes, at + PART_BYTES) - 1, etag);
  }
  list(): Promise<readonly string[]> {
    return attempt(async () => {
      const names: string[] = [];
      for await (const { name } of this.#bucket.list(this.#under)) names.push(name.slice(this.#under.length));
      return names;
    });
  }
  remove(name: string): Promise<void> {
    return attempt(() => this.#bucket.remove(this.#under + name));
  }
}
