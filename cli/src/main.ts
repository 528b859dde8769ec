#!/usr/bin/env node
/** kubectl-symphony: the plugin. `kubectl symphony help` lists the commands. */
import { commands } from './commands/index.ts';
import { invoke, type Command } from './command.ts';
import { CliError, UsageError } from './errors.ts';

const overview = (): string =>
  [
    'kubectl symphony: submit tasks to the Symphony Core System, open and verify their results.',
    '',
    ...commands.map((c) => `  ${c.words.join(' ').padEnd(20)} ${c.summary}`),
    '',
    'kubectl symphony COMMAND --help says more of each.',
  ].join('\n');

const find = (args: readonly string[]): Command | undefined =>
  commands.filter((c) => c.words.every((word, i) => args[i] === word)).toSorted((a, b) => b.words.length - a.words.length)[0];

/** Exit code: 0 done, 1 a problem that the user can mend, 2 wrong usage, 70 a defect of ours. */
export const main = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const out = (line: string) => void process.stdout.write(`${line}\n`);
  const err = (line: string) => void process.stderr.write(`${line}\n`);
  if (args.length === 0 || args[0] === 'help' || args[0] === '--help' || args[0] === '-h') {
    out(overview());
    return 0;
  }
  const command = find(args);
  if (!command) {
    err(`There is no command "${args.slice(0, 2).join(' ')}".\n\n${overview()}`);
    return 2;
  }
  const rest = args.slice(command.words.length);
  if (rest.includes('--help') || rest.includes('-h')) {
    out(command.help);
    return 0;
  }
  try {
    await invoke(command, rest, { out, err, now: () => new Date(), signal });
    return 0;
  } catch (cause) {
    if (cause instanceof CliError) {
      err(`${cause.message} (${cause.code})`);
      return cause instanceof UsageError ? 2 : 1;
    }
    err(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
    return 70;
  }
};

// `| head` closes the pipe: no fault.
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code !== 'EPIPE') throw cause;
  process.exit(0);
});
const abort = new AbortController();
process.once('SIGINT', () => abort.abort());
process.once('SIGTERM', () => abort.abort());
process.exitCode = await main(process.argv.slice(2), abort.signal);
