/**
 * Golden vectors (rule E3): `node test/vectors/generate.ts` writes them, with `--check` only compares and exits 1 when a
 * file differs from what the encoders of today give.
 */
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { jsonFiles } from './json-files.ts';
import { moveFile } from './move-file.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Absolute path -> content of every generated file. */
export const vectorFiles = (): Map<string, string> =>
  new Map([...jsonFiles()].map(([name, text]) => [here(name), text] as const)).set(
    here('../../contracts/scs/tests/vectors.move'),
    moveFile(),
  );

const contentOf = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};

/** Paths of the files that are missing or differ. */
export const staleVectors = async (): Promise<string[]> => {
  const files = [...vectorFiles()];
  const contents = await Promise.all(files.map(([path]) => contentOf(path)));
  return files.filter(([, text], i) => text !== contents[i]).map(([path]) => path);
};

const main = async (): Promise<number> => {
  if (process.argv.includes('--check')) {
    const stale = await staleVectors();
    for (const path of stale) console.error(`stale: ${path}`);
    return stale.length === 0 ? 0 : 1;
  }
  for (const [path, text] of vectorFiles()) await writeFile(path, text);
  return 0;
};

if (import.meta.filename === process.argv[1]) process.exitCode = await main();
