/** The bytes are not BCS of what was asked for. */
export class BcsError extends Error {
  readonly code = 'InvalidBcs';
}

/** Reads BCS piece by piece, never past its end. */
export class BcsReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw new BcsError('The bytes end too early');
    const out = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return out;
  }

  u8(): number {
    return this.bytes(1)[0] ?? 0;
  }

  /** Little-endian, `size` bytes. */
  unsigned(size: number): bigint {
    let value = 0n;
    for (const byte of this.bytes(size).toReversed()) value = (value << 8n) | BigInt(byte);
    return value;
  }

  bool(): boolean {
    const byte = this.u8();
    if (byte > 1) throw new BcsError('Not a bool');
    return byte === 1;
  }

  uleb128(): number {
    let value = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if ((byte === 0 && shift > 0) || value > 0xffff_ffff) throw new BcsError('Not a canonical length');
        return value;
      }
    }
    throw new BcsError('Not a canonical length');
  }

  lengthPrefixed(): Uint8Array {
    return this.bytes(this.uleb128());
  }

  string(): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.lengthPrefixed());
    } catch (error) {
      throw error instanceof BcsError ? error : new BcsError('Not UTF-8');
    }
  }

  vector<T>(item: () => T): T[] {
    const length = this.uleb128();
    // Each item has at least one byte in all that we read: a length beyond the bytes is a lie.
    if (length > this.remaining) throw new BcsError('The bytes end too early');
    return Array.from({ length }, item);
  }

  end(): void {
    if (this.remaining > 0) throw new BcsError(`${this.remaining} bytes too many`);
  }
}
