/**
 * The journal's copy outside the volume (rule B8): each entry is there, encrypted, before it takes effect. What stands in the copy
 * is what happened; a database behind it catches up before it serves.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { concat, fromHex, utf8 } from '@scs/protocol';
import type { JournalEntry, JournalHead } from '../store/journal.ts';

export class JournalError extends Error {
  readonly code: 'JournalUnavailable' | 'JournalMoved' | 'JournalDamaged' | 'JournalForked' | 'JournalLost';
  constructor(code: JournalError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'JournalError';
    this.code = code;
  }
}

/** Where the enterprise says. One Vault writes to a copy at a time. Every verb throws JournalError. */
export interface JournalCopy {
  /** Of the last entry that is durably there. */
  head(): Promise<JournalHead>;
  /** Durable when this returns, all of them or, after a crash, the first few. JournalMoved when `after` is not the head any more. */
  append(after: JournalHead, entries: readonly JournalEntry[]): Promise<void>;
  /** Entries behind `sequence`, in order. */
  read(sequence: bigint): AsyncIterable<JournalEntry>;
}

/** Seals entries of one Vault with its journal key (hex), each bound to its place. */
export class EntrySeal {
  readonly #key: Uint8Array;
  readonly #vault: string;
  constructor(journalKey: string, vault: string) {
    this.#key = fromHex(journalKey);
    this.#vault = vault;
  }
  #place({ sequence, head }: JournalHead): Uint8Array {
    return utf8(`${this.#vault}|${sequence}|${head}`);
  }
  seal(entry: JournalEntry): Uint8Array {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv).setAAD(this.#place(entry));
    return concat(iv, cipher.update(concat(entry.nonce, entry.entry)), cipher.final(), cipher.getAuthTag());
  }
  /** Throws JournalError JournalDamaged: another key, another Vault, another place, or altered bytes. */
  open(at: JournalHead, sealed: Uint8Array): JournalEntry {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, 12)).setAAD(this.#place(at));
      decipher.setAuthTag(sealed.subarray(-16));
      const plain = concat(decipher.update(sealed.subarray(12, -16)), decipher.final());
      return { ...at, nonce: plain.slice(0, 32), entry: plain.slice(32) };
    } catch (error) {
      throw new JournalError(
        'JournalDamaged',
        `entry ${at.sequence} of the journal's copy does not open: another key or Vault, or altered`,
        error,
      );
    }
  }
}
