/**
 * How the Aptos SDK reaches a node: fetch with a deadline, a bound on the answer and no redirects. A node is outside: it may
 * be slow, endless or lying.
 */
import type { Client, ClientRequest, ClientResponse } from '@aptos-labs/ts-sdk';

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** The node couldn't be reached, or didn't answer in time. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}

const urlOf = (url: string, params: unknown): URL => {
  const target = new URL(url);
  if (typeof params === 'object' && params !== null)
    for (const [name, value] of Object.entries(params)) if (value !== undefined) target.searchParams.set(name, String(value));
  return target;
};

const bodyOf = (body: unknown): string | Uint8Array<ArrayBuffer> | undefined =>
  body === undefined || body === null ? undefined : body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);

const textOf = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new TransportError('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text; // proxies answer errors in HTML; the status tells
    throw error;
  }
};

/** Throws TransportError when no whole answer came in `timeoutMs`. */
export const aptosTransport = (timeoutMs: number): Client => ({
  provider: async <Req, Res>(request: ClientRequest<Req>): Promise<ClientResponse<Res>> => {
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers ?? {})) if (value !== undefined) headers.set(name, String(value));
    const body = bodyOf(request.body);
    try {
      const response = await fetch(urlOf(request.url, request.params), {
        method: request.method,
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body }),
      });
      const data = parsed(await textOf(response)) as Res;
      return { status: response.status, statusText: response.statusText, data, headers: Object.fromEntries(response.headers) };
    } catch (error) {
      if (error instanceof TransportError) throw error;
      throw new TransportError(error instanceof Error ? reasonOf(error) : 'request failed', { cause: error });
    }
  },
});

/** fetch says only "fetch failed"; why is in the cause. */
const reasonOf = (error: Error): string => (error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message);
