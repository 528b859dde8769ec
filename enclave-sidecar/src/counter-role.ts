/** Role `counter`: serves one master's trusted counter until it is stopped (rules N2, N7). Nothing is kept: a restart is a new identity. */
import type { Logger } from 'pino';
import { counterAuthorities, serverCredentials } from '@scs/proto/tls.ts';
import { chooseTee, readCounterEnvironment, readGenesis, readTls } from './config.ts';
import { serveCounter } from './counter-server.ts';
import { TrustedCounter } from './counter.ts';
import { startHealth } from './health.ts';

const hostPort = (address: string): readonly [host: string, port: number] => {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), Number(address.slice(colon + 1))];
};

/** Resolves when a signal has ended it. Throws EnclaveFault; rejects when a port is taken. */
export const runCounter = async (environment: NodeJS.ProcessEnv, program: string, log: Logger): Promise<'Stopped'> => {
  const given = readCounterEnvironment(environment);
  log.level = given.SCS_LOG_LEVEL;
  const { genesis, digest } = readGenesis(given.SCS_GENESIS);
  const master = given.SCS_MASTER_INDEX;
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.resolve());
  const health = await startHealth('counter', ...hostPort(given.SCS_HEALTH_LISTEN));
  const authorities = counterAuthorities(genesis, master);
  const counter = new TrustedCounter();
  const serving = await serveCounter({
    counter,
    tee: chooseTee(genesis, given, program),
    genesis: digest,
    master,
    authorities,
    credentials: serverCredentials(readTls(given.SCS_TLS), authorities),
    address: given.SCS_LISTEN,
  });
  health.enter('running');
  health.ready();
  log.info({ master, key: counter.key(), simulated: genesis.enclave.kind === 'simulated' }, 'counter started');
  await stopped.promise;
  await serving.close();
  await health.close();
  return 'Stopped';
};
