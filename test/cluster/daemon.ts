import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, closeSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkInterrupt } from './interrupt.ts';

/** A program to start: `name` is unique in its cluster and names log and pid file. */
export type Program = { name: string; command: string; args: readonly string[]; env?: NodeJS.ProcessEnv };

/** A process, told from a later one with the same number by the time it started. */
export type ProcessRecord = { name: string; pid: number; startTicks: string };

const pidFolder = (folder: string): string => join(folder, 'pids');
export const logFile = (folder: string, name: string): string => join(folder, 'logs', `${name}.log`);

/** State and start time of a process from /proc, or undefined when there is none. */
const look = (pid: number): { state: string; startTicks: string } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name stands in parentheses and may hold spaces; fields are counted behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
};

const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');

export const isAlive = (record: ProcessRecord): boolean => {
  const seen = look(record.pid);
  return seen !== undefined && seen.state !== 'Z' && seen.startTicks === record.startTicks;
};

/** The identity of a running process, for telling later whether it is still the same one. */
export const identify = (name: string, pid: number): ProcessRecord => ({ name, pid, startTicks: look(pid)?.startTicks ?? '' });

/** No proxy settings, no Go or Kubernetes variables of the caller's: components talk to addresses of this machine only. */
const plainEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: process.env['HOME'] ?? '/',
});

/**
 * Starts a program in its own session, its output in `logs/`, its identity in `pids/`.
 * With `dieWithParent` the kernel kills it when this process ends in whatever way; otherwise it outlives us.
 */
export const startDaemon = async (folder: string, program: Program, dieWithParent: boolean): Promise<ProcessRecord> => {
  checkInterrupt();
  mkdirSync(pidFolder(folder), { recursive: true });
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const log = openSync(logFile(folder, program.name), 'a', 0o600);
  const [command, args] = dieWithParent
    ? ['setpriv', ['--pdeathsig', 'KILL', program.command, ...program.args]]
    : [program.command, [...program.args]];
  const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], cwd: folder, env: program.env ?? plainEnvironment() });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  const record = identify(program.name, child.pid ?? 0);
  writeFileSync(join(pidFolder(folder), `${program.name}.json`), JSON.stringify(record));
  return record;
};

/** A process identity that was written as JSON. Throws when the file holds none. */
export const readRecord = (file: string): ProcessRecord => {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof value === 'object' && value !== null && 'name' in value && 'pid' in value && 'startTicks' in value) {
    const { name, pid, startTicks } = value;
    if (typeof name === 'string' && typeof pid === 'number' && typeof startTicks === 'string') return { name, pid, startTicks };
  }
  throw new Error(`${file} holds no process identity`);
};

/** All processes recorded in a cluster's folder, dead ones included. */
export const recorded = (folder: string): ProcessRecord[] => {
  if (!existsSync(pidFolder(folder))) return [];
  return readdirSync(pidFolder(folder))
    .filter((file) => file.endsWith('.json'))
    .map((file) => readRecord(join(pidFolder(folder), file)));
};

/** Sends a signal to a recorded process; false when it is gone already. */
export const signalProcess = (record: ProcessRecord, signal: NodeJS.Signals): boolean => {
  if (!isAlive(record)) return false;
  try {
    process.kill(record.pid, signal);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
};

/** Asks a process to end, kills it after `graceMs`, and forgets its record. */
export const stopProcess = async (folder: string, record: ProcessRecord, graceMs: number): Promise<void> => {
  signalProcess(record, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (isAlive(record) && Date.now() < deadline) await delay(20);
  signalProcess(record, 'SIGKILL');
  while (isAlive(record)) await delay(20);
  rmSync(join(pidFolder(folder), `${record.name}.json`), { force: true });
};

/** The end of a program's log, for an error message. */
export const logTail = (folder: string, name: string, lines = 12): string => {
  const file = logFile(folder, name);
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '(no log)';
};
