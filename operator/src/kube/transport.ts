import http from 'node:http';
import https from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from './clock.ts';
import { ApiError, errorFromReply, networkError } from './errors.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** HTTP to the API server. Both verbs throw an `ApiError` for everything but a 2xx. */
export interface Transport {
  /** The reply's JSON. */
  send(request: HttpRequest): Promise<unknown>;
  /** The reply's body as it arrives; the timeout covers only the wait for the headers. */
  open(request: HttpRequest): Promise<AsyncIterable<Buffer>>;
}

export interface TransportOptions {
  readonly userAgent: string;
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes?: number;
  readonly clock: Clock;
}

const bodyLimit = 64 * 1024 * 1024;
const connectionsAtMost = 32;

type Tls = Pick<https.AgentOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;

const tlsOf = (options: https.RequestOptions): Tls => ({
  ...(options.ca === undefined ? {} : { ca: options.ca }),
  ...(options.cert === undefined ? {} : { cert: options.cert }),
  ...(options.key === undefined ? {} : { key: options.key }),
  ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
  ...(options.servername === undefined ? {} : { servername: options.servername }),
});

const credentials = (headers: https.RequestOptions['headers']): http.OutgoingHttpHeaders =>
  headers === undefined || Array.isArray(headers) ? {} : { ...(headers as http.OutgoingHttpHeaders) };

/** Keeps connections, and starts anew when a certificate was renewed on disk. Watches must not use up the requests' connections. */
function agentPool(secure: boolean, maxSockets: number): (tls: Tls) => http.Agent {
  let agent: http.Agent | undefined;
  let madeFor = '';
  return (tls) => {
    const fingerprint = JSON.stringify(tls);
    if (agent === undefined || fingerprint !== madeFor) {
      const options = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets, maxFreeSockets: 8 };
      agent = secure ? new https.Agent({ ...options, ...tls }) : new http.Agent(options);
      madeFor = fingerprint;
    }
    return agent;
  };
}

/**
 * client-node's KubeConfig finds the server and the credentials (files, in-cluster token with its renewal, exec plugins); the requests are
 * ours. A server without TLS is refused unless the kubeconfig says `insecure-skip-tls-verify`.
 */
export function createTransport(kubeConfig: KubeConfig, options: TransportOptions): Transport {
  const target = kubeConfig.getCurrentCluster();
  if (target === null) throw new TypeError('the kubeconfig has no current cluster');
  const base = new URL(target.server);
  const secure = base.protocol === 'https:';
  if (!secure && target.skipTLSVerify !== true) throw new TypeError('the kubeconfig names a server without TLS');
  const agentForRequests = agentPool(secure, connectionsAtMost);
  const agentForStreams = agentPool(secure, Number.POSITIVE_INFINITY);

  const start = async (request: HttpRequest, pool: (tls: Tls) => http.Agent, signal: AbortSignal): Promise<http.IncomingMessage> => {
    const requestOptions: https.RequestOptions = {};
    await applyCredentials(kubeConfig, requestOptions);
    const url = new URL(base);
    url.pathname = `${base.pathname.replace(/\/$/, '')}${request.path}`;
    url.search = new URLSearchParams(request.query).toString();
    const body = request.body === undefined ? undefined : Buffer.from(request.body);
    const proxied = target.proxyUrl === undefined || target.proxyUrl === '' ? undefined : requestOptions.agent;
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? https : http).request(url, {
        method: request.method,
        signal,
        agent: proxied ?? pool(tlsOf(requestOptions)),
        ...(requestOptions.auth === undefined || requestOptions.auth === null ? {} : { auth: requestOptions.auth }),
        headers: {
          ...credentials(requestOptions.headers),
          accept: 'application/json',
          'user-agent': options.userAgent,
          ...(body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json', 'content-length': body.length }),
        },
      });
      outgoing.on('response', resolve);
      outgoing.on('error', reject); // stays on: an abort after the response is emitted here too
      outgoing.end(body);
    });
  };

  /** Runs `use` under the request's timeout and its caller's signal. A stream passes its own `stop`, which outlives the wait for the headers. */
  const bounded = async <T>(request: HttpRequest, use: (signal: AbortSignal) => Promise<T>, stop = new AbortController()): Promise<T> => {
    const done = new AbortController();
    const unlink = link(request.signal, stop);
    let timedOut = false;
    const expiry = options.clock.sleep(request.timeoutMs ?? options.requestTimeoutMs, done.signal).then(() => {
      if (done.signal.aborted) return;
      timedOut = true;
      stop.abort();
    });
    try {
      return await use(stop.signal);
    } catch (thrown) {
      throw failure(thrown, request, timedOut);
    } finally {
      unlink();
      done.abort();
      await expiry;
    }
  };

  const accepted = async (response: http.IncomingMessage): Promise<http.IncomingMessage> => {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await readAll(response, 1024 * 1024);
    throw errorFromReply(status, body, response.headers['retry-after']);
  };

  return {
    send: (request) =>
      bounded(request, async (signal) => {
        const response = await accepted(await start(request, agentForRequests, signal));
        return parseJson(await readAll(response, options.maxBodyBytes ?? bodyLimit));
      }),
    open: async (request) => {
      const stop = new AbortController();
      const response = await bounded(request, async (signal) => accepted(await start(request, agentForStreams, signal)), stop);
      return chunks(response, request, stop);
    },
  };
}

async function applyCredentials(kubeConfig: KubeConfig, requestOptions: https.RequestOptions): Promise<void> {
  try {
    await kubeConfig.applyToHTTPSOptions(requestOptions);
  } catch (cause) {
    throw new ApiError('Unauthorized', 0, `the kubeconfig's credentials can't be read or renewed`, { cause });
  }
}

/** What a request's failure is, seen from its caller. */
function failure(thrown: unknown, request: HttpRequest, timedOut: boolean): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (request.signal?.aborted === true) return new ApiError('Aborted', 0, 'the request was given up by its caller');
  if (timedOut) return new ApiError('Timeout', 0, `no answer to ${request.method} ${request.path} in time`);
  return networkError(thrown);
}

/** Aborts `stop` with `signal`; the returned function undoes that, so that a long-lived signal does not gather listeners. */
function link(signal: AbortSignal | undefined, stop: AbortController): () => void {
  const abort = (): void => stop.abort();
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

async function* chunks(response: http.IncomingMessage, request: HttpRequest, stop: AbortController): AsyncGenerator<Buffer> {
  const unlink = link(request.signal, stop);
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (thrown) {
    throw failure(thrown, request, false);
  } finally {
    unlink();
    response.destroy();
  }
}

async function readAll(response: http.IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) {
      response.destroy();
      throw new ApiError('TooLarge', response.statusCode ?? 0, `the API server's answer is longer than ${maxBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new ApiError('Malformed', 200, "the API server's answer is not JSON", { cause });
  }
}
