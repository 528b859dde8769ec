import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { withLock } from '../../cluster/lock.ts';
import { cacheFolder } from '../../cluster/paths.ts';
import { step } from '../../cluster/progress.ts';
import { attempt, run } from '../../cluster/run.ts';
import { findIn, pathFolders } from '../../cluster/tools.ts';

/** Debian's Chromium: the machine's, or its packages and what they need, unpacked into the tool cache; nothing is installed. */
interface Program {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}
const folder = (): string => join(cacheFolder(), 'chromium');

const unpacked = (root: string): Program => {
  const libraries = join(root, 'usr/lib', `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`);
  return {
    path: join(root, 'usr/lib/chromium/chromium'),
    environment: { LD_LIBRARY_PATH: `${libraries}:${join(libraries, 'pulseaudio')}` },
  };
};

const download = async (root: string): Promise<void> => {
  const archives = join(folder(), 'archives');
  await rm(archives, { recursive: true, force: true });
  await mkdir(join(archives, 'partial'), { recursive: true });
  const settings = ['-o', 'Debug::NoLocking=1', '-o', `Dir::Cache::archives=${archives}`];
  const fetch = ['install', '--download-only', '--yes', '--quiet', '--no-install-recommends', ...settings, 'chromium', 'fonts-dejavu-core'];
  // Package lists may be old or absent.
  if ((await attempt('apt-get', fetch)).code !== 0) {
    await run('apt-get', ['update', '--quiet']);
    await run('apt-get', fetch);
  }
  const partial = `${root}.partial`;
  await rm(partial, { recursive: true, force: true });
  for (const name of await readdir(archives)) if (name.endsWith('.deb')) await run('dpkg', ['--extract', join(archives, name), partial]);
  await rename(partial, root);
  await rm(archives, { recursive: true, force: true });
};

const program = async (): Promise<Program> => {
  const own = findIn(pathFolders(), 'chromium');
  if (own !== undefined) return { path: own, environment: {} };
  const root = join(folder(), 'root');
  await withLock(join(folder(), 'lock'), async () => {
    if (existsSync(root)) return;
    if (findIn(pathFolders(), 'apt-get') === undefined) throw new Error('please install chromium');
    await step('Chromium, from Debian packages into the tool cache', () => download(root));
  });
  return unpacked(root);
};

/** Headless. Its own sandbox needs rights that a test doesn't have; it sees our page alone. */
export const openBrowser = async (): Promise<Browser> => {
  const { path, environment } = await program();
  return chromium.launch({
    executablePath: path,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...environment },
    args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server'],
  });
};
