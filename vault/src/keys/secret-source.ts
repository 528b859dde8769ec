/**
 * Key-encryption keys in a mounted Secret: file `key`, and while one is replaced by another, the one before in `previous`. Read
 * anew each time, so that a changed Secret takes effect without a restart.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { concat, equalBytes, fromHex, utf8 } from '@scs/protocol';
import { KeyError, type KeySource } from './key-source.ts';

const ID_BYTES = 8;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEX_KEY = /^[0-9a-f]{64}$/;

const idOf = (key: string): Uint8Array =>
  Uint8Array.from(createHash('sha256').update('SCS::key-id').update(fromHex(key)).digest().subarray(0, ID_BYTES));
const wrapping = (key: string): Uint8Array => new Uint8Array(hkdfSync('sha256', fromHex(key), '', 'SCS::data-key-wrap', 32));

export class SecretSource implements KeySource {
  readonly name = 'secret';
  readonly #file: string;
  readonly #place: Uint8Array;
  /** `file` is the key's path; `vault` is bound to what it wraps. */
  constructor(file: string, vault: string) {
    this.#file = file;
    this.#place = utf8(`SCS::data-key|${vault}`);
  }

  /** Hex of 32 bytes. Throws KeyError. */
  async key(): Promise<string> {
    const text = await readFile(this.#file, 'utf8').catch((error: unknown) => {
      throw new KeyError('KeyUnavailable', "the Secret's key can't be read", error);
    });
    if (!HEX_KEY.test(text.trim())) throw new KeyError('KeyRefused', "the Secret's key is not 64 hex digits");
    return text.trim();
  }
  async #previous(): Promise<readonly string[]> {
    const text = await readFile(join(dirname(this.#file), 'previous'), 'utf8').catch(() => '');
    return HEX_KEY.test(text.trim()) ? [text.trim()] : [];
  }

  async wrap(dataKey: Uint8Array): Promise<Uint8Array> {
    const key = await this.key();
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', wrapping(key), iv).setAAD(this.#place);
    return concat(idOf(key), iv, cipher.update(dataKey), cipher.final(), cipher.getAuthTag());
  }

  async unwrap(wrapped: Uint8Array): Promise<{ readonly dataKey: Uint8Array; readonly current: boolean }> {
    const current = await this.key();
    const id = wrapped.subarray(0, ID_BYTES);
    const key = [current, ...(await this.#previous())].find((one) => equalBytes(idOf(one), id));
    if (key === undefined)
      throw new KeyError('KeyRefused', "neither `key` nor `previous` of the Secret wrapped this Vault's data key: put the right one there");
    const iv = wrapped.subarray(ID_BYTES, ID_BYTES + IV_BYTES);
    try {
      const decipher = createDecipheriv('aes-256-gcm', wrapping(key), iv).setAAD(this.#place);
      decipher.setAuthTag(wrapped.subarray(-TAG_BYTES));
      return {
        dataKey: concat(decipher.update(wrapped.subarray(ID_BYTES + IV_BYTES, -TAG_BYTES)), decipher.final()),
        current: key === current,
      };
    } catch (error) {
      throw new KeyError('KeyRefused', 'the wrapped data key is altered, or of another Vault', error);
    }
  }
}
