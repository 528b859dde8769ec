/**
 * Sealing to a key (HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), base mode. What is sealed, by
 * whom it may be opened and in which place is bound in `info`; who sealed it is the business of the signatures inside.
 * Keys are hex of 32 bytes; AAD and payloads are bytes.
 */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { fromHex, hex, utf8 } from '@scs/protocol';

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** What a sealed thing is for: the HPKE `info`. One a use, so that nothing sealed for one opens as another. */
export type SealPurpose = 'slice-input' | 'slice-release' | 'slice-output' | 'task-result';
export interface SealKeyPair {
  /** Hex of 32 bytes each. */
  readonly publicKey: string;
  readonly privateKey: string;
}
export interface Sealed {
  readonly enc: Uint8Array;
  readonly ciphertext: Uint8Array;
}
/** Seals messages in order; each is bound to its place in the stream. */
export interface SealContext {
  readonly enc: Uint8Array;
  seal(plaintext: Uint8Array, aad?: Uint8Array): Promise<Uint8Array>;
}
export interface OpenContext {
  /** Throws SealError on anything altered, out of order, or sealed to another key. */
  open(ciphertext: Uint8Array, aad?: Uint8Array): Promise<Uint8Array>;
}
export class SealError extends Error {
  readonly code = 'SealInvalid';
  constructor(cause: unknown) {
    super('sealed bytes do not open with this key, purpose and context', { cause });
    this.name = 'SealError';
  }
}

/** HPKE wants ArrayBuffers of its own: a copy, so that no pool behind a Buffer leaks in. */
const owned = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;
const infoOf = (purpose: SealPurpose): ArrayBuffer => owned(utf8(`SCS::seal::${purpose}::v1`));

const publicKeyOf = (key: string) => suite.kem.deserializePublicKey(owned(fromHex(key)));
const privateKeyOf = (key: string) => suite.kem.deserializePrivateKey(owned(fromHex(key)));

/** A fresh X25519 key pair. */
export const generateSealKey = async (): Promise<SealKeyPair> => {
  const { publicKey, privateKey } = await suite.kem.generateKeyPair();
  return {
    publicKey: hex(new Uint8Array(await suite.kem.serializePublicKey(publicKey))),
    privateKey: hex(new Uint8Array(await suite.kem.serializePrivateKey(privateKey))),
  };
};

/** A stream sealed to `publicKey`. Throws SealError when the key is no X25519 key. */
export const sealContext = async (publicKey: string, purpose: SealPurpose): Promise<SealContext> => {
  try {
    const sender = await suite.createSenderContext({ recipientPublicKey: await publicKeyOf(publicKey), info: infoOf(purpose) });
    return {
      enc: new Uint8Array(sender.enc),
      seal: async (plaintext, aad = new Uint8Array()) => new Uint8Array(await sender.seal(owned(plaintext), owned(aad))),
    };
  } catch (error) {
    throw new SealError(error);
  }
};

/** The other end of `sealContext`. Throws SealError on a malformed `enc`. */
export const openContext = async (privateKey: string, purpose: SealPurpose, enc: Uint8Array): Promise<OpenContext> => {
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new SealError(error);
    }
  };
  const recipient = await attempt(async () =>
    suite.createRecipientContext({ recipientKey: await privateKeyOf(privateKey), enc: owned(enc), info: infoOf(purpose) }),
  );
  return {
    open: (ciphertext, aad = new Uint8Array()) => attempt(async () => new Uint8Array(await recipient.open(owned(ciphertext), owned(aad)))),
  };
};

/** One message sealed to `publicKey`, bound to `aad`. */
export const seal = async (publicKey: string, purpose: SealPurpose, plaintext: Uint8Array, aad?: Uint8Array): Promise<Sealed> => {
  const context = await sealContext(publicKey, purpose);
  return { enc: context.enc, ciphertext: await context.seal(plaintext, aad) };
};
/** Throws SealError unless `sealed` is what was sealed to this key, for this purpose, with this `aad`. */
export const open = async (privateKey: string, purpose: SealPurpose, sealed: Sealed, aad?: Uint8Array): Promise<Uint8Array> =>
  (await openContext(privateKey, purpose, sealed.enc)).open(sealed.ciphertext, aad);

const ENC_BYTES = 32;
/** `enc` and ciphertext in one blob, as stored and named by digest. */
export const packSealed = ({ enc, ciphertext }: Sealed): Uint8Array => {
  const packed = new Uint8Array(enc.length + ciphertext.length);
  packed.set(enc);
  packed.set(ciphertext, enc.length);
  return packed;
};
/** Inverse of `packSealed`; a blob too short gives a `Sealed` that does not open. */
export const unpackSealed = (blob: Uint8Array): Sealed => ({ enc: blob.slice(0, ENC_BYTES), ciphertext: blob.slice(ENC_BYTES) });
