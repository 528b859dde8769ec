/**
 * The outbound webhook of activations (rule T1): to one address that the manifest names, over HTTPS, signed with a shared key. What it
 * answers is not read beyond its status.
 *
 *   POST url    {"version":1,"vault":..,"task":..,"message":..,"subjects":[..]}
 *   scs-timestamp     milliseconds
 *   scs-signature     hex HMAC-SHA256 of `<timestamp>.<body>`
 *   idempotency-key   the same for the same batch, so that a repeated one counts once
 */
import { createHmac, hash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

export interface Batch {
  /** `namespace/name`. */
  readonly vault: string;
  readonly task: string;
  readonly message: string;
  readonly subjects: readonly string[];
}
export interface Webhook {
  /** Throws WebhookError when the batch was not taken. */
  send(batch: Batch): Promise<void>;
}
export class WebhookError extends Error {
  readonly code: 'WebhookRefused' | 'WebhookUnreachable';
  constructor(code: WebhookError['code'], message: string) {
    super(message);
    this.name = 'WebhookError';
    this.code = code;
  }
}

const TIMEOUT_MS = 10_000;
/** Bytes of the key, at least. */
const MIN_KEY = 32;

const isLoopback = ({ hostname }: URL): boolean => hostname === '127.0.0.1' || hostname === 'localhost' || hostname === '[::1]';
/** HTTPS, or plain HTTP to the machine itself. Throws RangeError. */
export const webhookUrl = (text: string): URL => {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw new RangeError('the webhook address may hold no password');
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) return url;
  throw new RangeError('the webhook address must be https');
};

export const signatureOf = (key: Uint8Array, timestamp: string, body: string): string =>
  createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex');

/** The status of the answer. A redirect is not followed; nothing of the body is read. Rejects when there is none in time. */
const post = (url: URL, headers: http.OutgoingHttpHeaders, body: string, ca: string | undefined): Promise<number> =>
  new Promise((resolve, reject) => {
    const options = { method: 'POST', agent: false, signal: AbortSignal.timeout(TIMEOUT_MS), headers, ...(ca !== undefined && { ca }) };
    const request = (url.protocol === 'https:' ? https : http).request(url, options, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    request.on('error', reject);
    request.end(body);
  });

export interface WebhookKeys {
  /** Signs each batch. */
  readonly key: Uint8Array;
  /** PEM of the authority of a certificate that the public ones did not issue; instead of those. */
  readonly ca?: string;
}
/** `url` as `webhookUrl` gives it. Throws RangeError on a key that is too short. */
export const httpWebhook = (url: URL, { key, ca }: WebhookKeys, now: () => number): Webhook => {
  if (key.length < MIN_KEY) throw new RangeError(`the webhook's key has fewer than ${MIN_KEY} bytes`);
  return {
    send: async ({ vault, task, message, subjects }) => {
      const body = JSON.stringify({ version: 1, vault, task, message, subjects });
      const timestamp = String(now());
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'scs-timestamp': timestamp,
        'scs-signature': signatureOf(key, timestamp, body),
        'idempotency-key': hash('sha256', body, 'hex'),
      };
      const status = await post(url, headers, body, ca).catch(() => {
        throw new WebhookError('WebhookUnreachable', 'the webhook does not answer; run it again, nobody is activated twice');
      });
      if (status < 200 || status > 299)
        throw new WebhookError('WebhookRefused', `the webhook answered ${status}; run it again once it takes them`);
    },
  };
};
