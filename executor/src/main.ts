/** scs-executor: the container beside the enclave sidecar in a slice's pod. Environment: SCS_SOCKET, SCS_LOG_LEVEL, SCS_THREADS. */
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { Enclave, grpcClient } from '@scs/proto';
import { runAudience, runPlan } from './run-plan.ts';
import { workUntilReleased, type Ending } from './work.ts';

const log = pino({ name: 'scs-executor', level: process.env['SCS_LOG_LEVEL'] ?? 'info' });
const socket = process.env['SCS_SOCKET'] ?? '/scratch/enclave.sock';
const threads = Number(process.env['SCS_THREADS'] ?? 2);
if (!socket.startsWith('/') || !Number.isInteger(threads) || threads < 1 || threads > 256) {
  log.fatal('SCS_SOCKET must be an absolute path, and SCS_THREADS between 1 and 256');
  process.exit(3);
}

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Where Kubernetes reads why a container ended. */
const leaveWord = ({ code, message }: { code: string; message: string }): void => {
  try {
    writeFileSync(process.env['SCS_TERMINATION_LOG'] ?? '/dev/termination-log', `${code}: ${message}`.slice(0, 1000));
  } catch (error) {
    log.warn({ code: error instanceof Error ? error.name : 'Unknown' }, 'no termination log can be written here');
  }
};

const exitCode = (ending: Ending): number => {
  if (ending.code !== 'Failed') return 0;
  leaveWord({ code: ending.fault.code, message: ending.fault.message });
  return 3;
};

const enclave = grpcClient(Enclave, `unix:${socket}`, credentials.createInsecure());
stop.signal.addEventListener('abort', () => enclave.close(), { once: true });
const ending = await workUntilReleased({
  enclave,
  runPlan,
  runAudience,
  sleep,
  stopped: () => stop.signal.aborted,
  log,
  program: hash('sha3-256', readFileSync(process.argv[1] ?? import.meta.filename), 'hex'),
  threads,
});
log.info({ ending: ending.code }, 'the executor ends');
process.exit(exitCode(ending));
