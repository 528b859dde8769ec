import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { containerdSocket } from './node-config.ts';
import { archiveEntries, type Image } from './oci.ts';
import { run } from './run.ts';
import { tarOf } from './tar.ts';

/** Images in and out of containerd, by its own command-line tool. */
const ctr = (folder: string): string[] => ['--address', containerdSocket(folder), '--namespace', 'k8s.io'];

/** Writes images as one OCI archive that any tool can import. */
export const writeArchive = (images: readonly Image[], file: string): Promise<void> =>
  pipeline(Readable.from(tarOf(archiveEntries(images))), createWriteStream(file));

/** Imports OCI archives into the cluster's containerd. */
export const importArchives = async (folder: string, files: readonly string[]): Promise<void> => {
  for (const file of files) await run('ctr', [...ctr(folder), 'images', 'import', file]);
};

const loaded = async (folder: string): Promise<Map<string, string>> => {
  const lines = (await run('ctr', [...ctr(folder), 'images', 'list'])).split('\n').slice(1);
  return new Map(lines.map((line) => line.split(/\s+/)).map(([ref = '', , digest = '']) => [ref, digest]));
};

/** Imports built images, without those and without the layers that containerd has already. Returns the references that were imported. */
export const importImages = async (folder: string, images: readonly Image[]): Promise<string[]> => {
  const there = await loaded(folder);
  const wanted = images.filter(({ ref, digest }) => there.get(ref) !== digest);
  if (wanted.length === 0) return [];
  const present = new Set((await run('ctr', [...ctr(folder), 'content', 'list', '--quiet'])).split('\n').filter((line) => line !== ''));
  const child = spawn('ctr', [...ctr(folder), 'images', 'import', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-4096);
  });
  const closed = once(child, 'close');
  try {
    await pipeline(Readable.from(tarOf(archiveEntries(wanted, present))), child.stdin);
  } catch (error) {
    await closed;
    throw new Error(`importing images failed: ${errors}`, { cause: error });
  }
  const [code]: unknown[] = await closed;
  if (code !== 0) throw new Error(`importing images failed: ${errors}`);
  return wanted.map(({ ref }) => ref);
};
