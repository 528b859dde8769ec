/**
 * Where the key-encryption key is. A Vault's file is encrypted under a data key; the volume holds that one only wrapped by a source,
 * so that a copy of the volume opens nothing, and a source may change its key without the file being written again.
 */
export interface KeySource {
  /** In the key file; says who may unwrap. */
  readonly name: 'secret' | 'kms';
  /** `dataKey` is 32 bytes. Throws KeyError. */
  wrap(dataKey: Uint8Array): Promise<Uint8Array>;
  /** `current` is false when an older key of the source wrapped it: wrap it again. Throws KeyError. */
  unwrap(wrapped: Uint8Array): Promise<{ readonly dataKey: Uint8Array; readonly current: boolean }>;
}

export class KeyError extends Error {
  /** KeyUnavailable passes; KeyRefused and KeyFileInvalid wait for a person. */
  readonly code: 'KeyUnavailable' | 'KeyRefused' | 'KeyFileInvalid';
  constructor(code: KeyError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'KeyError';
    this.code = code;
  }
}
