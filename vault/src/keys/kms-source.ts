/**
 * Key-encryption key in a KMS (AWS KMS's protocol, `Encrypt` and `Decrypt`): it never leaves the KMS. The Vault's name is in the
 * encryption context, so that the KMS's policy and log tell Vaults apart, and a wrapped key of another Vault doesn't unwrap.
 */
import { z } from 'zod';
import { fromBase64, toBase64 } from './base64.ts';
import { bodyOf, CloudError, signedFetch, type CredentialsOf } from '../cloud/aws.ts';
import { KeyError, type KeySource } from './key-source.ts';

export interface KmsOptions {
  readonly keyId: string;
  readonly region: string;
  /** Other than AWS's; without a slash at the end. */
  readonly endpoint?: string | undefined;
  readonly vault: string;
  readonly credentials: CredentialsOf;
}
const MAX_ANSWER = 64 * 1024;
const blob = z.string().max(8192);
const Encrypted = z.object({ CiphertextBlob: blob });
const Decrypted = z.object({ Plaintext: blob, KeyId: z.string().max(2048) });

export class KmsSource implements KeySource {
  readonly name = 'kms';
  readonly #options: KmsOptions;
  constructor(options: KmsOptions) {
    this.#options = options;
  }

  async wrap(dataKey: Uint8Array): Promise<Uint8Array> {
    const { CiphertextBlob } = await this.#call('Encrypt', { KeyId: this.#options.keyId, Plaintext: toBase64(dataKey) }, Encrypted);
    return fromBase64(CiphertextBlob);
  }

  /** `current` compares keys, not their material: a KMS that rotates material under one key needs no new wrapping. */
  async unwrap(wrapped: Uint8Array): Promise<{ readonly dataKey: Uint8Array; readonly current: boolean }> {
    const { Plaintext, KeyId } = await this.#call('Decrypt', { CiphertextBlob: toBase64(wrapped) }, Decrypted);
    const { keyId } = this.#options;
    return { dataKey: fromBase64(Plaintext), current: KeyId === keyId || KeyId.endsWith(`/${keyId}`) || keyId.includes('alias/') };
  }

  async #call<T>(action: string, body: object, schema: z.ZodType<T>): Promise<T> {
    const { region, endpoint, vault, credentials } = this.#options;
    try {
      const response = await signedFetch(credentials, {
        service: 'kms',
        region,
        url: `${endpoint ?? `https://kms.${region}.amazonaws.com`}/`,
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${action}` },
        body: JSON.stringify({ ...body, EncryptionContext: { 'scs:vault': vault } }),
      });
      return schema.parse(JSON.parse(Buffer.from(await bodyOf(response, MAX_ANSWER)).toString('utf8')));
    } catch (error) {
      if (error instanceof CloudError && error.code === 'CloudUnavailable')
        throw new KeyError('KeyUnavailable', 'the KMS does not answer', error);
      throw new KeyError('KeyRefused', 'the KMS does not do it: check key, credentials and its policy', error);
    }
  }
}
