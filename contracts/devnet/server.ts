import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { accountRoutes } from './api/accounts.ts';
import { faucetRoutes } from './api/faucet.ts';
import { ledgerInfo, ledgerRoutes } from './api/ledger.ts';
import { jsonBody } from './api/request.ts';
import type { ApiResponse, Route } from './api/request.ts';
import { tableRoutes } from './api/tables.ts';
import { transactionRoutes } from './api/transactions.ts';
import { viewRoutes } from './api/view.ts';
import type { Chain } from './chain.ts';
import { Refusal, invalidInput } from './refusal.ts';
import { maxTransactionBytes } from './transaction.ts';

export type ServerOptions = {
  readonly host?: string;
  /** 0 for any free one. */
  readonly port?: number;
  readonly faucet?: boolean;
  /** Tests only: POST /v1/devnet/advance_time { seconds }. */
  readonly timeTravel?: boolean;
};
export type DevnetServer = { readonly url: string; readonly port: number; readonly close: () => Promise<void> };

/** A transaction and something for a JSON body that says as much. */
const maxBodyBytes = 4 * maxTransactionBytes;
const maxConnections = 512;
const requestTimeoutMs = 15_000;
const maxUrlLength = 4096;

const AdvanceTime = z.object({
  seconds: z
    .number()
    .int()
    .min(1)
    .max(10 * 365 * 24 * 3600),
});
const timeTravelRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/devnet/advance_time',
    handle: (chain, request) => {
      const parsed = AdvanceTime.safeParse(jsonBody(request));
      if (!parsed.success) throw invalidInput('The body is { seconds }');
      chain.advanceTime(parsed.data.seconds);
      return { json: { ledger_timestamp: String(chain.nowUs()) } };
    },
  },
];

type Compiled = { readonly route: Route; readonly pattern: RegExp; readonly names: readonly string[] };
const compile = (prefix: string, routes: readonly Route[]): Compiled[] =>
  routes.map((route) => {
    const names = [...route.path.matchAll(/:(\w+)/g)].map((m) => m[1] ?? '');
    const path = route.path === '/' ? '/?' : route.path.replace(/:\w+/g, '([^/]+)');
    return { route, names, pattern: new RegExp(`^${prefix}${path}$`) };
  });

const readBody = async (request: IncomingMessage): Promise<Uint8Array> => {
  const tooLarge = (): Refusal => new Refusal(413, 'web_framework_error', `A body has at most ${maxBodyBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) throw new TypeError('A request gives buffers');
    length += chunk.length;
    if (length > maxBodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const stateHeaders = (chain: Chain): Record<string, string> => {
  const info = ledgerInfo(chain);
  return {
    'x-aptos-chain-id': String(info.chain_id),
    'x-aptos-ledger-version': info.ledger_version,
    'x-aptos-ledger-timestampusec': info.ledger_timestamp,
    'x-aptos-epoch': info.epoch,
    'x-aptos-block-height': info.block_height,
    'x-aptos-ledger-oldest-version': '0',
    'x-aptos-oldest-block-height': '0',
  };
};

const send = (chain: Chain, response: ServerResponse, answer: ApiResponse): void => {
  if (response.destroyed) return;
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...stateHeaders(chain), ...answer.headers });
  response.end(JSON.stringify(answer.json));
};

/** An error of ours is logged and not shown: it may hold paths. */
const errorAnswer = (error: unknown): ApiResponse => {
  if (error instanceof Refusal) {
    const close = error.status === 413 ? { connection: 'close' } : {};
    return {
      status: error.status,
      json: { message: error.message, error_code: error.code, vm_error_code: error.vmCode ?? null },
      headers: close,
    };
  }
  console.error('devnet: internal error', error);
  return { status: 500, json: { message: 'Internal error of the devnet', error_code: 'internal_error', vm_error_code: null } };
};

const decodeParam = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidInput('The path is not well encoded');
  }
};

const answer = async (chain: Chain, routes: readonly Compiled[], request: IncomingMessage): Promise<ApiResponse> => {
  const raw = request.url ?? '/';
  if (raw.length > maxUrlLength) throw new Refusal(414, 'web_framework_error', 'The path is too long');
  const [path = '/', query = ''] = raw.split('?', 2);
  const matching = routes.filter((r) => r.pattern.test(path));
  const match = matching.find((r) => r.route.method === request.method);
  if (match === undefined) throw new Refusal(matching.length > 0 ? 405 : 404, 'web_framework_error', 'The devnet does not serve that');
  const values = match.pattern.exec(path)?.slice(1) ?? [];
  const params = Object.fromEntries(match.names.map((name, i) => [name, decodeParam(values[i] ?? '')]));
  const body = await readBody(request);
  return match.route.handle(chain, { params, query: new URLSearchParams(query), contentType: request.headers['content-type'] ?? '', body });
};

/** Serves the chain as an Aptos fullnode would, under /v1. Resolves when it listens. */
export const serve = async (chain: Chain, options: ServerOptions = {}): Promise<DevnetServer> => {
  const api = [
    ...ledgerRoutes,
    ...accountRoutes,
    ...transactionRoutes,
    ...viewRoutes,
    ...tableRoutes,
    ...(options.timeTravel === true ? timeTravelRoutes : []),
  ];
  const routes = [...compile('/v1', api), ...(options.faucet === false ? [] : compile('', faucetRoutes))];
  const server = http.createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs, keepAliveTimeout: 30_000 },
    (request, response) => {
      answer(chain, routes, request)
        .catch(errorAnswer)
        .then((result) => send(chain, response, result))
        .catch((error: unknown) => {
          console.error('devnet: a response failed', error);
          response.destroy();
        });
    },
  );
  server.maxConnections = maxConnections;
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
