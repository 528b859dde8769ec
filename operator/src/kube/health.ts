import http from 'node:http';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { type Clock, realClock } from './clock.ts';
import { type Logger, defaultLogger, errorFields } from './logger.ts';

/** A loop that must keep moving. The pod is restarted when its progress is older than `maxAgeMs`. */
export interface LivenessCheck {
  readonly name: string;
  /** Civil time in milliseconds. */
  readonly lastProgressAt: () => number;
  readonly maxAgeMs: number;
}

export interface ReadinessCheck {
  readonly name: string;
  readonly ready: () => boolean;
}

export interface HealthOptions {
  /** 0 takes a free port. */
  readonly port: number;
  readonly host?: string;
  readonly registry?: Registry;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

export interface Health {
  readonly port: number;
  readonly registry: Registry;
  /** Adds a loop to /livez; the returned function takes it out again. */
  watchLoop(check: LivenessCheck): () => void;
  /** Adds a condition to /readyz; the returned function takes it out again. */
  require(check: ReadinessCheck): () => void;
  close(): Promise<void>;
}

/** A registry with Node's own figures: memory, event loop lag, garbage collection. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const lines = (failing: readonly string[]): Reply => ({
  status: failing.length === 0 ? 200 : 503,
  type: 'text/plain; charset=utf-8',
  body: failing.length === 0 ? 'ok\n' : `${failing.join('\n')}\n`,
});

/** Serves /livez, /readyz and /metrics, and nothing else, without credentials: names and numbers only. Rejects if the port is taken. */
export async function startHealth(options: HealthOptions): Promise<Health> {
  const { clock = realClock, logger = defaultLogger, registry = createRegistry() } = options;
  const loops = new Set<LivenessCheck>();
  const conditions = new Set<ReadinessCheck>();

  const stuck = (): string[] => {
    const now = clock.now();
    return [...loops]
      .filter((loop) => now - loop.lastProgressAt() > loop.maxAgeMs)
      .map((loop) => `${loop.name}: no progress for more than ${loop.maxAgeMs} ms`);
  };
  const unready = (): string[] => [...conditions].filter((c) => !c.ready()).map((c) => `${c.name}: not ready`);

  const answer = async (path: string): Promise<Reply> => {
    if (path === '/livez') return lines(stuck());
    if (path === '/readyz') return lines(unready());
    if (path === '/metrics') return { status: 200, type: registry.contentType, body: await registry.metrics() };
    return { status: 404, type: 'text/plain; charset=utf-8', body: 'not found\n' };
  };

  const server = http.createServer({ headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8_192 }, (request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const reply: Promise<Reply> =
      request.method === 'GET' ? answer(path) : Promise.resolve({ status: 405, type: 'text/plain; charset=utf-8', body: 'only GET\n' });
    reply
      .catch((thrown: unknown): Reply => {
        logger.error({ path, ...errorFields(thrown) }, 'a health check failed to answer');
        return { status: 500, type: 'text/plain; charset=utf-8', body: 'error\n' };
      })
      .then(({ status, type, body }) => response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body))
      .catch((thrown: unknown) => logger.error(errorFields(thrown), 'a health answer could not be sent'));
  });
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();

  const member = <C>(set: Set<C>, check: C): (() => void) => {
    set.add(check);
    return () => set.delete(check);
  };

  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    registry,
    watchLoop: (check) => member(loops, check),
    require: (check) => member(conditions, check),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
