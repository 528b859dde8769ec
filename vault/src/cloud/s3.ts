/** Objects of one bucket under one prefix, through S3's protocol. Requests that may be repeated are, a few times. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Place } from '@scs/protocol';
import { bodyOf, CloudError, signedFetch, type CredentialsOf, type Signed } from './aws.ts';

export interface S3Object {
  /** Without the prefix. */
  readonly name: string;
  readonly bytes: number;
}
const TRIES = 4;
const PAUSE_MS = 200;
const MAX_LISTING = 8 * 1024 ** 2;
/** S3 takes parts from 5 MiB on, and 10,000 of them: 160 GiB. */
export const PART_BYTES = 16 * 1024 ** 2;

const decoded = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
/** Texts of an element, in order. Enough for answers that are lists of flat elements. */
const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) => decoded(match[1]!));
const pathOf = (key: string): string => key.split('/').map(encodeURIComponent).join('/');

export class S3Bucket {
  readonly #place: S3Place;
  readonly #credentials: CredentialsOf;
  constructor(place: S3Place, credentials: CredentialsOf) {
    this.#place = place;
    this.#credentials = credentials;
  }

  /** Whole. Throws CloudError CloudMissing, or when it has more than `limit` bytes. */
  async get(name: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#again(async () => bodyOf(await this.#ask('GET', name), limit));
  }
  /** Bytes from `from` to `until`, this one included; of an object that has not changed since `etag` was seen. */
  async range(name: string, from: number, until: number, etag: string): Promise<Uint8Array<ArrayBuffer>> {
    const headers = { range: `bytes=${from}-${until}`, 'if-match': etag };
    return this.#again(async () => bodyOf(await this.#ask('GET', name, { headers }), until - from + 1));
  }
  async stat(name: string): Promise<{ readonly bytes: number; readonly etag: string }> {
    const { headers } = await this.#again(() => this.#ask('HEAD', name));
    return { bytes: Number(headers.get('content-length')), etag: headers.get('etag') ?? '' };
  }
  async put(name: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#again(() => this.#ask('PUT', name, { body }));
  }
  /**
   * Only where nothing is yet: CloudError CloudConflict otherwise. Not repeated: an answer may be lost after it was done, and only the
   * caller can tell whose it is.
   */
  async putNew(name: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#ask('PUT', name, { body, headers: { 'if-none-match': '*' } });
  }
  async remove(name: string): Promise<void> {
    await this.#again(() => this.#ask('DELETE', name));
  }

  /** In parts, with one part in memory; nothing is there until all are. */
  async putStream(name: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const opened = await this.#again(() => this.#ask('POST', name, { query: 'uploads=' }));
    const [id] = elements(Buffer.from(await bodyOf(opened, MAX_LISTING)).toString('utf8'), 'UploadId');
    if (id === undefined) throw new CloudError('CloudUnavailable', 's3 began no upload');
    const upload = `uploadId=${encodeURIComponent(id)}`;
    try {
      const tags: string[] = [];
      for await (const body of inParts(chunks)) {
        const query = `partNumber=${tags.length + 1}&${upload}`;
        const { headers } = await this.#again(() => this.#ask('PUT', name, { query, body }));
        tags.push(headers.get('etag') ?? '');
      }
      const parts = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag.replaceAll('"', '')}</ETag></Part>`);
      const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
      await this.#again(() => this.#ask('POST', name, { query: upload, body }));
    } catch (error) {
      // Best effort: the bucket's own lifecycle rule removes what a crash leaves.
      await this.#ask('DELETE', name, { query: upload }).catch(() => undefined);
      throw error;
    }
  }

  /** By name, from behind `after`; pages are read as they are needed. */
  async *list(under = '', after = ''): AsyncGenerator<S3Object, void> {
    let from = after === '' ? '' : this.#key(after);
    for (;;) {
      const query = new URLSearchParams({ 'list-type': '2', 'max-keys': '1000', prefix: this.#key(under) });
      if (from !== '') query.set('start-after', from);
      const response = await this.#again(() => this.#ask('GET', undefined, { query: query.toString() }));
      const xml = Buffer.from(await bodyOf(response, MAX_LISTING)).toString('utf8');
      const [keys, sizes] = [elements(xml, 'Key'), elements(xml, 'Size')];
      for (const [i, key] of keys.entries()) yield { name: key.slice(this.#key('').length), bytes: Number(sizes[i]) };
      const last = keys.at(-1);
      if (last === undefined || !xml.includes('<IsTruncated>true</IsTruncated>')) return;
      from = last;
    }
  }

  #key(name: string): string {
    return `${this.#place.prefix}${name}`;
  }
  #ask(
    method: Signed['method'],
    name: string | undefined,
    more: Pick<Signed, 'headers' | 'body'> & { readonly query?: string } = {},
  ): Promise<Response> {
    const { bucket, region, endpoint } = this.#place;
    const base = endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;
    const { query, ...request } = more;
    const url = `${base}${name === undefined ? '' : `/${pathOf(this.#key(name))}`}${query === undefined ? '' : `?${query}`}`;
    return signedFetch(this.#credentials, { service: 's3', region, url, method, ...request });
  }
  async #again<T>(work: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++)
      try {
        return await work();
      } catch (error) {
        if (tried >= TRIES || !(error instanceof CloudError) || error.code !== 'CloudUnavailable') throw error;
        await sleep(PAUSE_MS * 2 ** tried);
      }
  }
}

/** Whole parts, and a last one that may be smaller; at least one. */
const inParts = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  let part: Uint8Array[] = [];
  let size = 0;
  let any = false;
  for await (const chunk of chunks) {
    part.push(chunk);
    size += chunk.length;
    if (size < PART_BYTES) continue;
    yield Uint8Array.from(Buffer.concat(part));
    [part, size, any] = [[], 0, true];
  }
  if (size > 0 || !any) yield Uint8Array.from(Buffer.concat(part));
};
