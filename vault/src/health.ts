/** /livez, /readyz and /metrics over HTTP, without credentials: names, codes and public figures only; never a subject, a value or a count. */
import http from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Health } from './server.ts';

export interface HealthServer {
  readonly port: number;
  readonly countCall: (method: string, code: string) => void;
  /** How long a step of the store took. */
  readonly timeStep: (step: string, ms: number) => void;
  readonly countTask: (what: string) => void;
  readonly countRightsRefusal: (code: string) => void;
  close(): Promise<void>;
}
export interface HealthOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly health: () => Health;
  /** Civil time of the last sign of life of the loops; older than a minute and a half means stuck. */
  readonly progressAt: () => number;
}
const STUCK_MS = 90_000;
const STEP_SECONDS = [0.1, 1, 10, 60];
/** Rounded up to its class, so that the sum tells no more than the classes do. */
const classOf = (seconds: number): number => STEP_SECONDS.find((limit) => seconds <= limit) ?? 600;

/** Rejects if the address is taken. */
export const startHealth = async ({ host, port, health, progressAt }: HealthOptions): Promise<HealthServer> => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const calls = new Counter({
    name: 'scs_vault_calls_total',
    help: 'Calls answered.',
    labelNames: ['method', 'code'],
    registers: [registry],
  });
  const tasks = new Counter({
    name: 'scs_vault_tasks_total',
    help: 'Answers and settled duties.',
    labelNames: ['what'],
    registers: [registry],
  });
  const refusals = new Counter({
    name: 'scs_vault_rights_refusals_total',
    help: "Requests to the subjects' service that were refused or failed. Those that were served are not counted.",
    labelNames: ['code'],
    registers: [registry],
  });
  const steps = new Histogram({
    name: 'scs_vault_step_seconds',
    help: 'Durable steps of the store. Classes are coarse: how long one took must not tell of whom it was about.',
    labelNames: ['step'],
    buckets: STEP_SECONDS,
    registers: [registry],
  });
  const ready = new Gauge({ name: 'scs_vault_ready', help: '1 when the Vault serves.', registers: [registry] });
  const answer = async (path: string): Promise<readonly [number, string]> => {
    const now = health();
    ready.set(now.ready ? 1 : 0);
    if (path === '/livez') return Date.now() - progressAt() < STUCK_MS ? [200, 'ok\n'] : [503, 'the loops are stuck\n'];
    if (path === '/readyz') return now.ready ? [200, 'ok\n'] : [503, `${now.reason}: ${now.message}\n`];
    return path === '/metrics' ? [200, await registry.metrics()] : [404, 'not found\n'];
  };
  const server = http.createServer({ headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8_192 }, (request, response) => {
    const send = (code: number, body: string): void => {
      response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(body);
    };
    if (request.method !== 'GET') return send(405, 'only GET\n');
    answer((request.url ?? '/').split('?')[0]!).then(
      ([code, body]) => send(code, body),
      () => send(500, 'error\n'),
    );
  });
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    countCall: (method, code) => calls.inc({ method, code }),
    countTask: (what) => tasks.inc({ what }),
    timeStep: (step, ms) => steps.observe({ step }, classOf(ms / 1000)),
    countRightsRefusal: (code) => refusals.inc({ code }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
