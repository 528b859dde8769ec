/**
 * The Vault process (Data Sovereignty Service).
 *
 *   serve                                          the default
 *   import --domain <d> [--format csv]  < file     records
 *   import --consents [--format csv]    < file     consents
 *   backup    backups    rotate-key    imports
 *   consent --subject <s> --usage <u> --state granted|revoked      erase --subject <s>      subject --subject <s>
 *   audiences    activate --task <uid> --message <text>
 *   key --subject <s> --key <Ed25519 public key, hex> [--remove]   lets a key sign for a subject over HTTPS, or no longer
 *
 * All but serve talk to the serving process beside them, over its local socket; see docs for the environment.
 */
import { parseArgs } from 'node:util';
import { actFor, activateFrom, importFrom, keepUp } from './admin/client.ts';
import type { Outcome } from './admin/socket.ts';
import { ConfigError, readConfig, readEnvironment } from './config.ts';
import { errorCode } from './logger.ts';
import { serve } from './serve.ts';

const dataFolder = (): string => process.env['SCS_DATA'] ?? '/var/lib/scs';
const finish = (outcome: Outcome): number => {
  if (outcome.ok) return 0;
  process.stderr.write(`${outcome.code}: ${outcome.message}\n`);
  return 1;
};
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const options = {
  domain: { type: 'string' },
  consents: { type: 'boolean', default: false },
  format: { type: 'string', default: 'parquet' },
  subject: { type: 'string' },
  usage: { type: 'string' },
  state: { type: 'string' },
  key: { type: 'string' },
  task: { type: 'string' },
  message: { type: 'string' },
  remove: { type: 'boolean', default: false },
} as const;

const runServe = async (): Promise<number> => {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  await serve(readConfig(readEnvironment(process.env)), stop.signal);
  return 0;
};

const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  const data = dataFolder();
  switch (positionals[0] ?? 'serve') {
    case 'serve':
      return runServe();
    case 'import': {
      const { format } = values;
      if (format !== 'parquet' && format !== 'csv') throw new ConfigError('--format is parquet or csv');
      if (!values.consents && values.domain === undefined) throw new ConfigError('say what it is: --domain <domain> or --consents');
      const kind = values.consents ? 'consents' : 'records';
      return finish(
        await importFrom({ data, kind, format, input: process.stdin, say, ...(values.domain !== undefined && { domain: values.domain }) }),
      );
    }
    case 'backup':
    case 'backups':
    case 'rotate-key':
    case 'imports':
    case 'audiences':
      return finish(await keepUp(data, positionals[0] as 'backup', say));
    case 'activate':
      return finish(await activateFrom(data, { task: values.task, message: values.message }, say));
    case 'consent':
      return finish(await actFor(data, 'consent', { subject: values.subject, usage: values.usage, state: values.state }));
    case 'erase':
      return finish(await actFor(data, 'erase', { subject: values.subject }));
    case 'key':
      return finish(await actFor(data, 'key', { subject: values.subject, publicKey: values.key, remove: values.remove }));
    case 'subject': {
      const outcome = await actFor(data, 'subject', { subject: values.subject });
      if (outcome.ok) process.stdout.write(`${JSON.stringify(outcome, undefined, 2)}\n`);
      return finish(outcome);
    }
    default:
      throw new ConfigError(
        `unknown command ${positionals[0]}; known: serve, import, backup, backups, rotate-key, imports, audiences, activate, consent, erase, subject, key`,
      );
  }
};

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${errorCode(error)}: ${error instanceof Error ? error.message : 'failed'}\n`);
  process.exitCode = 1;
}
