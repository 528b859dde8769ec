/** One subcommand: its words, its help, its options (node:util parseArgs) and what it does. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './errors.ts';

export type Options = NonNullable<ParseArgsConfig['options']>;
/** What a command knows of the process around it; tests give their own. */
export interface Surroundings {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** All of standard input. */
  readonly input: () => Promise<string>;
}
export interface Invocation extends Omit<Surroundings, 'environment'> {
  readonly positionals: readonly string[];
  readonly flag: (name: string) => boolean;
  readonly text: (name: string) => string | undefined;
  readonly texts: (name: string) => readonly string[];
  /** Throws UsageError when absent. */
  readonly required: (name: string) => string;
  /** Environment variable; empty counts as absent. */
  readonly variable: (name: string) => string | undefined;
}
export interface Command {
  /** For example ['genesis', 'build']. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Synopsis lines, options and examples. */
  readonly help: string;
  readonly options: Options;
  /** How many words it takes after its own; more are wrong usage. Default 0. */
  readonly arguments?: number;
  readonly run: (invocation: Invocation) => Promise<void>;
}

/** Throws UsageError, CliError, or whatever is a defect of ours. */
export const invoke = async (command: Command, args: readonly string[], around: Surroundings): Promise<void> => {
  const { values, positionals } = parse(command, args);
  const value = (name: string) => values[name];
  const text = (name: string): string | undefined => {
    const given = value(name);
    return typeof given === 'string' ? given : undefined;
  };
  const { environment, ...io } = around;
  await command.run({
    ...io,
    positionals,
    flag: (name) => value(name) === true,
    text,
    texts: (name) => {
      const given = value(name);
      return Array.isArray(given) ? given.filter((v): v is string => typeof v === 'string') : [];
    },
    required: (name) => text(name) ?? wrong(command, `--${name} is required.`),
    variable: (name) => environment[name] || undefined,
  });
};

const parse = (command: Command, args: readonly string[]) => {
  const parsed = parsedArgs(command, args);
  const surplus = parsed.positionals[command.arguments ?? 0];
  if (surplus !== undefined) wrong(command, `Unexpected argument '${surplus}'.`);
  return parsed;
};

const parsedArgs = (command: Command, args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: command.options, allowPositionals: true, strict: true });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return wrong(command, `${cause.message.split('. To specify')[0]!.replace(/\.?\n.*$/s, '')}.`);
  }
};

const wrong = (command: Command, problem: string): never => {
  throw new UsageError(`${problem} See kubectl symphony ${command.words.join(' ')} --help.`);
};
