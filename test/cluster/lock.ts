import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { say } from './progress.ts';

const noticeMs = 2_000;

/**
 * Runs `work` while holding an exclusive lock on `file`; callers in other processes wait their turn. The kernel frees the lock when this process dies,
 * however it dies: a child holds it and ends with our pipe.
 */
export const withLock = async <T>(file: string, work: () => Promise<T>): Promise<T> => {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(holder, 'close');
  const notice = setTimeout(() => say(`waiting for another process that holds ${file}`), noticeMs);
  const held = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  clearTimeout(notice);
  if (!held) throw new Error(`cannot lock ${file}`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
};
