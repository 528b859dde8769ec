/**
 * The key file (`keys.json` in the Vault's folder): which file the records are in, and its data key, wrapped. Replacing it is what
 * makes a rotation take effect, at once or not at all.
 *
 *   first start            a data key is made, wrapped, written
 *   start                  unwrapped; by an older key or another source, it is wrapped again
 *   a file of before       there is no key file: the Secret's key was the data key itself; it is wrapped, and stays until rotated
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fromHex, hex } from '@scs/protocol';
import { writeDurably } from '../durable-file.ts';
import { FIRST_FILE } from '../store/files.ts';
import { fromBase64, toBase64 } from './base64.ts';
import { KeyError, type KeySource } from './key-source.ts';

const KeyFile = z.strictObject({
  format: z.literal(1),
  file: z.string().regex(/^(vault\.db|store\/vault-[1-9]\d{0,8}\.db)$/),
  source: z.enum(['secret', 'kms']),
  wrapped: z.base64().max(8192),
});
type KeyFile = z.infer<typeof KeyFile>;

export interface OpenKey {
  /** Hex of 32 bytes. */
  readonly dataKey: string;
  /** Under the Vault's folder. */
  readonly file: string;
}
export interface KeyRing {
  /** Wraps from now on. */
  readonly preferred: KeySource;
  /** May unwrap what was wrapped before. */
  readonly others: readonly KeySource[];
  /** The Secret's key as it was used before there was a key file; hex. */
  readonly legacy?: () => Promise<string>;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
const pathOf = (folder: string): string => join(folder, 'keys.json');

/** Of the Vault in `folder`. Every verb throws KeyError. */
export class KeyKeeper {
  readonly #folder: string;
  readonly #ring: KeyRing;
  constructor(folder: string, ring: KeyRing) {
    this.#folder = folder;
    this.#ring = ring;
  }

  /** The data key; made at the first start. */
  async open(): Promise<OpenKey> {
    const known = await this.#read();
    if (known) return (await this.#unwrap(known)).opened;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const legacy = (await exists(join(this.#folder, FIRST_FILE))) ? await this.#ring.legacy?.() : undefined;
    const opened = { dataKey: legacy ?? newDataKey(), file: FIRST_FILE };
    await this.keep(opened);
    return opened;
  }

  /** Wraps the data key again when its source has a newer key, or another source is preferred. True when it did. */
  async renew(): Promise<boolean> {
    const known = await this.#read();
    if (!known) return false;
    const { opened, current } = await this.#unwrap(known);
    if (current && known.source === this.#ring.preferred.name) return false;
    await this.keep(opened);
    return true;
  }

  /** From now on, at once or not at all. */
  async keep(opened: OpenKey): Promise<void> {
    const file: KeyFile = { format: 1, file: opened.file, ...(await this.wrap(opened.dataKey)) };
    await writeDurably(pathOf(this.#folder), `${JSON.stringify(file)}\n`);
  }

  async wrap(dataKey: string): Promise<{ readonly source: KeySource['name']; readonly wrapped: string }> {
    const { preferred } = this.#ring;
    return { source: preferred.name, wrapped: toBase64(await preferred.wrap(fromHex(dataKey))) };
  }

  /** Of a backup; hex of 32 bytes. */
  async unwrap(of: Pick<KeyFile, 'source' | 'wrapped'>): Promise<string> {
    return (await this.#unwrapped(of)).dataKey;
  }
  /** Is there a Vault in the folder? */
  async exists(): Promise<boolean> {
    return (await exists(pathOf(this.#folder))) || (await exists(join(this.#folder, FIRST_FILE)));
  }

  async #read(): Promise<KeyFile | undefined> {
    const text = await readFile(pathOf(this.#folder), 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw new KeyError('KeyUnavailable', "the Vault's keys.json can't be read", error);
    });
    if (text === undefined) return undefined;
    try {
      return KeyFile.parse(JSON.parse(text));
    } catch (error) {
      throw new KeyError('KeyFileInvalid', "the Vault's keys.json is damaged: restore it with its file from a backup", error);
    }
  }

  async #unwrap({ file, ...of }: KeyFile): Promise<{ readonly opened: OpenKey; readonly current: boolean }> {
    const { dataKey, current } = await this.#unwrapped(of);
    return { opened: { dataKey, file }, current };
  }
  async #unwrapped({
    source,
    wrapped,
  }: Pick<KeyFile, 'source' | 'wrapped'>): Promise<{ readonly dataKey: string; readonly current: boolean }> {
    const from = [this.#ring.preferred, ...this.#ring.others].find(({ name }) => name === source);
    if (!from) throw new KeyError('KeyRefused', `the data key is wrapped by a ${source}, which spec.encryption doesn't give`);
    const { dataKey, current } = await from.unwrap(fromBase64(wrapped));
    if (dataKey.length !== 32) throw new KeyError('KeyFileInvalid', 'the unwrapped data key has not 32 bytes');
    return { dataKey: hex(dataKey), current };
  }
}

export const newDataKey = (): string => randomBytes(32).toString('hex');
