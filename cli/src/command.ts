/** One subcommand: its words, its help, its options (node:util parseArgs) and what it does. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './errors.ts';

export type Options = NonNullable<ParseArgsConfig['options']>;
export interface Output {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}
export interface Invocation extends Output {
  readonly positionals: readonly string[];
  readonly flag: (name: string) => boolean;
  readonly text: (name: string) => string | undefined;
  readonly texts: (name: string) => readonly string[];
  /** Throws UsageError when absent. */
  readonly required: (name: string) => string;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}
export interface Command {
  /** For example ['genesis', 'build']. */
  readonly words: readonly string[];
  readonly summary: string;
  /** Synopsis lines, options and examples. */
  readonly help: string;
  readonly options: Options;
  readonly run: (invocation: Invocation) => Promise<void>;
}

export const invoke = (command: Command, args: readonly string[], io: Output & { now: () => Date; signal: AbortSignal }): Promise<void> => {
  const { values, positionals } = parse(command, args);
  const value = (name: string) => values[name];
  const text = (name: string): string | undefined => {
    const given = value(name);
    return typeof given === 'string' ? given : undefined;
  };
  return command.run({
    ...io,
    positionals,
    flag: (name) => value(name) === true,
    text,
    texts: (name) => {
      const given = value(name);
      return Array.isArray(given) ? given.filter((v): v is string => typeof v === 'string') : [];
    },
    required: (name) => text(name) ?? fail(`--${name} is required. See kubectl symphony ${command.words.join(' ')} --help.`),
  });
};

const parse = (command: Command, args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options: command.options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new UsageError(
      `${cause instanceof Error ? cause.message.split('. To specify')[0] : String(cause)}. See kubectl symphony ${command.words.join(' ')} --help.`,
    );
  }
};

const fail = (message: string): never => {
  throw new UsageError(message);
};
