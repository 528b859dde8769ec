/**
 * Signed requests to services that speak AWS's protocol: S3 and KMS, Amazon's or others'. Bounded in time and size; credentials are
 * files of a mounted Secret, read anew for each request, so that they may change without a restart.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';

export class CloudError extends Error {
  /** CloudUnavailable passes. CloudMissing: no such object. CloudConflict: it is there already. CloudRefused: credentials or rights. */
  readonly code: 'CloudUnavailable' | 'CloudRefused' | 'CloudMissing' | 'CloudConflict';
  constructor(code: CloudError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CloudError';
    this.code = code;
  }
}
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
export type CredentialsOf = () => Promise<Credentials>;

/** Files `access-key-id`, `secret-access-key` and, if temporary, `session-token`. */
export const mountedCredentials =
  (folder: string): CredentialsOf =>
  async () => {
    const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8').then((text) => text.trim());
    try {
      const [accessKeyId, secretAccessKey] = await Promise.all([read('access-key-id'), read('secret-access-key')]);
      const sessionToken = await read('session-token').catch(() => '');
      return { accessKeyId, secretAccessKey, ...(sessionToken !== '' && { sessionToken }) };
    } catch (error) {
      throw new CloudError('CloudRefused', 'spec.cloudSecret has no access-key-id and secret-access-key', error);
    }
  };

export interface Signed {
  readonly service: 's3' | 'kms';
  readonly region: string;
  readonly url: string;
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
}
const TIMEOUT_MS = 60_000;
const STATUS: Readonly<Record<number, CloudError['code']>> = {
  400: 'CloudRefused',
  401: 'CloudRefused',
  403: 'CloudRefused',
  404: 'CloudMissing',
  409: 'CloudConflict',
  412: 'CloudConflict',
};

/** One request, not repeated; callers know what may be. Throws CloudError: neither address nor answer is in its message. */
export const signedFetch = async (credentials: CredentialsOf, { service, region, url, ...request }: Signed): Promise<Response> => {
  const client = new AwsClient({ ...(await credentials()), service, region, retries: 0 });
  let response: Response;
  try {
    response = await client.fetch(url, { ...request, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new CloudError('CloudUnavailable', `${service} does not answer`, error);
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw new CloudError(STATUS[response.status] ?? 'CloudUnavailable', `${service} answered ${response.status}`);
};

/** The whole body. Throws CloudError when it has more than `limit` bytes or breaks off. */
export const bodyOf = async (response: Response, limit: number): Promise<Uint8Array<ArrayBuffer>> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      size += (chunk as Uint8Array).length;
      if (size > limit) throw new CloudError('CloudRefused', `the answer has more than ${limit} bytes`);
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    throw error instanceof CloudError ? error : new CloudError('CloudUnavailable', 'the answer broke off', error);
  }
  return Uint8Array.from(Buffer.concat(chunks));
};
