/** From arguments to exit code: finds the command, shows help, turns errors into sentences. */
import { commands } from './commands/index.ts';
import { invoke, type Command, type Surroundings } from './command.ts';
import { CliError, UsageError } from './errors.ts';

const overview = (of: readonly Command[] = commands): string =>
  [
    'kubectl symphony: submit tasks to the Symphony Core System, open and verify their results.',
    '',
    ...of.map((c) => `  ${c.words.join(' ').padEnd(20)} ${c.summary}`),
    '',
    'kubectl symphony COMMAND --help says more of each.',
  ].join('\n');

const HELP = new Set(['help', '--help', '-h']);
const asksForHelp = (args: readonly string[]): boolean => {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
};
const startsWith = (words: readonly string[], start: readonly string[]): boolean => start.every((word, i) => words[i] === word);
/** The command with the most words, so that `keygen secrets` is not `keygen`. */
const find = (args: readonly string[]): Command | undefined =>
  commands.filter((c) => startsWith(args, c.words)).toSorted((a, b) => b.words.length - a.words.length)[0];

/** Whatever came from outside (an API server's message, a label) reaches the terminal without control characters. */
const printable = (line: string): string => line.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd');

/** Exit code: 0 done, 1 a problem that the user can mend, 2 wrong usage, 70 a defect of ours. Never throws. */
export const run = async (args: readonly string[], around: Surroundings): Promise<number> => {
  const out = (line: string) => around.out(printable(line));
  const err = (line: string) => around.err(printable(line));
  if (args.length === 0 || HELP.has(args[0]!)) return help(args.slice(1), out, err);
  const command = find(args);
  if (!command)
    return asksForHelp(args)
      ? help(
          args.filter((arg) => !HELP.has(arg)),
          out,
          err,
        )
      : unknown(args, err);
  const rest = args.slice(command.words.length);
  if (asksForHelp(rest)) {
    out(command.help);
    return 0;
  }
  try {
    await invoke(command, rest, { ...around, out, err });
    return 0;
  } catch (cause) {
    return failed(cause, err);
  }
};

const help = (words: readonly string[], out: (line: string) => void, err: (line: string) => void): number => {
  const exact = words.length > 0 ? find(words) : undefined;
  const group = commands.filter((c) => startsWith(c.words, words));
  if (!exact && group.length === 0) return unknown(words, err);
  out(exact ? exact.help : overview(group));
  return 0;
};
const unknown = (args: readonly string[], err: (line: string) => void): number => {
  err(`There is no command "${args.slice(0, 2).join(' ')}".\n\n${overview()}`);
  return 2;
};
const failed = (cause: unknown, err: (line: string) => void): number => {
  if (cause instanceof CliError) {
    err(`${cause.message} (${cause.code})`);
    return cause instanceof UsageError ? 2 : 1;
  }
  err(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  return 70;
};
