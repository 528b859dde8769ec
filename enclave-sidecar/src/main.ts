/**
 * scs-enclave-sidecar: the enclave of one slice (beside its executor), of one aggregator, or a master's trusted counter. Exit code 0: no longer needed; 3: failed
 * for good, code and message in the termination log; 1: unexpected.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { pino, type Logger } from 'pino';
import { createMasters, grpcClient, VaultNode } from '@scs/proto';
import { authoritiesOf, clientCredentials, enterpriseIdentity } from '@scs/proto/tls.ts';
import { runAggregator } from './aggregator.ts';
import { realClock } from './clock.ts';
import { chooseTee, readEnvironment, readGenesis, readTls, type Environment } from './config.ts';
import { runCounter } from './counter-role.ts';
import { EnclaveFault, errorKind } from './fault.ts';
import { startHealth } from './health.ts';
import { generateKeys } from './keys.ts';
import { serveExecutor } from './local-server.ts';
import { requireMemory } from './scratch.ts';
import type { Ending, Session } from './session.ts';
import { runSlice } from './slice.ts';
import { followTask } from './task-view.ts';
import { WarmSnapshot } from './warm-snapshot.ts';
import { WorkDesk } from './work-desk.ts';

const FAILED_FOR_GOOD = 3;
/**
 * A sidecar that ends before its pod is started again, and would take the place of an enclave that replaced it. So it stays until
 * the executor has ended and the kubelet ends it.
 */
const LINGER_MS = 60_000;

/** Where Kubernetes reads why a container ended; the agent puts it into a condition. */
const leaveWord = (log: Logger, code: string, message: string): void => {
  try {
    writeFileSync(process.env['SCS_TERMINATION_LOG'] ?? '/dev/termination-log', `${code}: ${message}`.slice(0, 1000));
  } catch (error) {
    log.warn({ code: errorKind(error) }, 'no termination log can be written here');
  }
};

const listenAddress = (text: string): readonly [host: string, port: number] => {
  const colon = text.lastIndexOf(':');
  return [text.slice(0, colon) || '0.0.0.0', Number(text.slice(colon + 1))];
};

const runRole = async (environment: Environment, session: Session, ready: () => void): Promise<Ending> => {
  if (environment.SCS_ROLE === 'aggregator') {
    ready();
    return runAggregator(session);
  }
  await requireMemory(environment.SCS_SCRATCH);
  const desk = new WorkDesk(randomInt(1, 2 ** 31));
  const server = await serveExecutor(desk, environment.SCS_SOCKET);
  const tls = readTls(environment.SCS_TLS);
  const connectVault = (enterprise: string) =>
    grpcClient(
      VaultNode,
      environment.SCS_VAULT_ADDRESS ?? '',
      clientCredentials(tls, authoritiesOf(session.genesis), enterpriseIdentity(enterprise)),
    );
  ready();
  try {
    const executorMemoryBytes = BigInt(environment.SCS_EXECUTOR_MEMORY);
    const ending = await runSlice({
      ...session,
      desk,
      connectVault,
      scratch: environment.SCS_SCRATCH,
      warm: new WarmSnapshot(environment.SCS_SCRATCH),
      executorMemoryBytes,
    });
    if (ending !== 'Stopped') await session.clock.sleep(LINGER_MS, session.signal);
    return ending;
  } finally {
    await server.close();
  }
};

const run = async (log: Logger): Promise<Ending> => {
  if (process.env['SCS_ROLE'] === 'counter') return runCounter(process.env, process.argv[1] ?? import.meta.filename, log);
  const environment = readEnvironment(process.env);
  log.level = environment.SCS_LOG_LEVEL;
  const { genesis, digest } = readGenesis(environment.SCS_GENESIS);
  const tee = chooseTee(genesis, environment, process.argv[1] ?? import.meta.filename);
  const { SCS_ROLE: role, SCS_TASK: task, SCS_SUBJECT: subject } = environment;
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const health = await startHealth(role, ...listenAddress(environment.SCS_HEALTH_LISTEN));
  const logger = log.child({ role, task, subject });
  const masters = createMasters({
    addresses: environment.SCS_MASTERS,
    tls: readTls(environment.SCS_TLS),
    genesis,
    genesisDigest: digest,
    onFault: (master, code) => {
      health.countRetry();
      logger.debug({ master, code }, 'a master did not answer');
    },
  });
  const keys = await generateKeys();
  const { view, ended } = followTask({ masters, task, clock: realClock, log: logger, signal: stop.signal });
  try {
    const session: Session = {
      role,
      task,
      subject,
      genesis,
      genesisDigest: digest,
      masters,
      tee,
      keys,
      view,
      clock: realClock,
      log: logger,
      signal: stop.signal,
      enter: health.enter,
    };
    return await runRole(environment, session, health.ready);
  } finally {
    stop.abort();
    keys.wipe();
    masters.close();
    await ended;
    await health.close();
  }
};

const log = pino({ name: 'scs-enclave-sidecar' });
try {
  const ending = await run(log);
  log.info({ ending }, 'the enclave ends');
  process.exit(0);
} catch (error) {
  const known = error instanceof EnclaveFault;
  log.error({ code: errorKind(error) }, known ? error.message : 'the enclave failed unexpectedly');
  leaveWord(log, known ? error.code : 'Unexpected', known ? error.message : `Unexpected ${errorKind(error)}.`);
  process.exit(known ? FAILED_FOR_GOOD : 1);
}
