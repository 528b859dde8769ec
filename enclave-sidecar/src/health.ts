/** /livez, /readyz, /metrics over HTTP: phase names and numbers only. */
import http from 'node:http';
import type { Phase } from './session.ts';

export interface Health {
  readonly port: number;
  readonly enter: (phase: Phase) => void;
  readonly ready: () => void;
  readonly countRetry: () => void;
  close(): Promise<void>;
}

/** Rejects if the address is taken. Port 0 takes a free one. */
export const startHealth = async (role: string, host: string, port: number): Promise<Health> => {
  let phase: Phase = 'starting';
  let isReady = false;
  let retries = 0;
  const metrics = (): string =>
    [
      '# HELP scs_enclave_phase 1 for the phase that the enclave is in.',
      '# TYPE scs_enclave_phase gauge',
      `scs_enclave_phase{role="${role}",phase="${phase}"} 1`,
      '# HELP scs_enclave_retries_total Attempts that failed and were tried again.',
      '# TYPE scs_enclave_retries_total counter',
      `scs_enclave_retries_total{role="${role}"} ${retries}`,
      '# HELP process_resident_memory_bytes Resident memory.',
      '# TYPE process_resident_memory_bytes gauge',
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
      '',
    ].join('\n');
  const answer = (path: string): readonly [number, string] => {
    if (path === '/livez') return [200, 'ok\n'];
    if (path === '/readyz') return isReady ? [200, 'ok\n'] : [503, `${phase}\n`];
    return path === '/metrics' ? [200, metrics()] : [404, 'not found\n'];
  };
  const server = http.createServer({ headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 8_192 }, (request, response) => {
    const [status, body] = request.method === 'GET' ? answer(request.url ?? '/') : ([405, 'only GET\n'] as const);
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(body);
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    enter: (next) => {
      phase = next;
    },
    ready: () => {
      isReady = true;
    },
    countRetry: () => {
      retries++;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
