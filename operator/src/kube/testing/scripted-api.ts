import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';

/** One request as the scripted server saw it, and the means to answer it well, badly or not at all. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
  json(status: number, body: unknown, headers?: http.OutgoingHttpHeaders): void;
  /** A failure as the API server words it. */
  status(code: number, reason: string, headers?: http.OutgoingHttpHeaders): void;
  /** Opens a stream (if it isn't yet) and sends one line of it. */
  line(event: unknown): void;
  raw(text: string): void;
  end(): void;
  /** Cuts the connection. */
  drop(): void;
  /** Resolves when the client has gone away. */
  readonly gone: Promise<void>;
}

export interface ScriptedApi {
  readonly kubeConfig: KubeConfig;
  /** The next request, in the order of arrival. The test answers it. */
  next(): Promise<Exchange>;
  /** Requests that came and were not yet taken with `next`. */
  pending(): number;
  close(): Promise<void>;
}

export const kubeConfigFor = (server: string, token = 'test-token'): KubeConfig => {
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'scripted', server, skipTLSVerify: true }, { name: 'tester', token });
  return config;
};

async function exchangeOf(request: http.IncomingMessage, response: http.ServerResponse): Promise<Exchange> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  const url = new URL(request.url ?? '/', 'http://scripted');
  const json = (status: number, body: unknown, headers: http.OutgoingHttpHeaders = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
    json,
    status: (code, reason, headers) =>
      json(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message: `scripted ${reason}` }, headers),
    line: (event) => response.write(`${JSON.stringify(event)}\n`),
    raw: (chunk) => response.write(chunk),
    end: () => response.end(),
    drop: () => request.socket.destroy(),
    gone: new Promise((resolve) => response.once('close', resolve)),
  };
}

/** An HTTP server on loopback that does only what the test tells it to, request by request. */
export async function startScriptedApi(): Promise<ScriptedApi> {
  const arrived: Exchange[] = [];
  const waiting: ((exchange: Exchange) => void)[] = [];
  const server = http.createServer((request, response) => {
    exchangeOf(request, response).then(
      (exchange) => {
        const taker = waiting.shift();
        if (taker === undefined) arrived.push(exchange);
        else taker(exchange);
      },
      () => response.destroy(), // the client went away in the middle of its own request
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    kubeConfig: kubeConfigFor(`http://127.0.0.1:${port}`),
    next: () => {
      const first = arrived.shift();
      return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
    },
    pending: () => arrived.length,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
