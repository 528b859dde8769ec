import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { checkInterrupt } from './interrupt.ts';

const keptOutput = 8 * 1024 * 1024;

export type RunOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Appended to the child's stdin, then closed. */
  input?: string;
  /** A file that gets everything the command prints. */
  log?: string;
  /** Milliseconds, after which the command is killed. */
  timeoutMs?: number;
  /** Ctrl-C waits for its end: for commands that leave a mess when killed. */
  uninterrupted?: boolean;
};

export type RunResult = { code: number; stdout: string; stderr: string };

const tail = (kept: string, chunk: Buffer): string => (kept + chunk.toString('utf8')).slice(-keptOutput);

const running = new Set<ChildProcess>();

/** Ends every command that runs now, for Ctrl-C. */
export const stopCommands = (): void => running.forEach((child) => child.kill('SIGTERM'));

/** Runs a command to its end and returns its exit code; keeps the last 8 MiB of each stream. Throws only when it can't be started. */
export const attempt = async (command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> => {
  const child = spawn(command, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.uninterrupted === true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  });
  if (options.uninterrupted !== true) running.add(child);
  const log = options.log === undefined ? undefined : createWriteStream(options.log, { flags: 'a' });
  const result: RunResult = { code: -1, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    result.stdout = tail(result.stdout, chunk);
    log?.write(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    result.stderr = tail(result.stderr, chunk);
    log?.write(chunk);
  });
  // A command that never reads its input closes the pipe; that is its right.
  child.stdin.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') child.kill('SIGKILL');
  });
  child.stdin.end(options.input ?? '');
  let code: unknown;
  try {
    [code] = (await once(child, 'close')) as unknown[];
  } finally {
    running.delete(child);
  }
  if (log !== undefined) {
    log.end();
    await finished(log);
  }
  result.code = typeof code === 'number' ? code : -1;
  return result;
};

/** Runs a command and returns what it printed. Throws with the end of its stderr when it fails, `Interrupted` when Ctrl-C ended it. */
export const run = async (command: string, args: readonly string[], options: RunOptions = {}): Promise<string> => {
  const result = await attempt(command, args, options);
  if (result.code === 0) return result.stdout;
  checkInterrupt();
  const why = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-15).join('\n');
  throw new Error(`${command} ${args.slice(0, 6).join(' ')} failed with ${result.code}:\n${why}`);
};
