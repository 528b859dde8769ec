/**
 * DuckDB writes an encrypted file only with its httpfs extension loaded. Its binary comes from PyPI, at DuckDB's version, into
 * the tools' cache; DuckDB itself checks its signature when it loads it. Prints the path. Images copy it beside the program.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const HTTPFS_VERSION = '1.5.5';
const FILE = 'httpfs.duckdb_extension';

const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'symphony-scs', 'duckdb', `v${HTTPFS_VERSION}-${process.arch}`);

/** Path of the extension; fetched once, a few seconds. Needs python3 with pip the first time. */
export const httpfsExtension = async (): Promise<string> => {
  const folder = cacheFolder();
  const file = join(folder, FILE);
  try {
    await access(file);
    return file;
  } catch {
    await mkdir(folder, { recursive: true });
  }
  const work = await mkdtemp(join(folder, 'fetch-'));
  try {
    const wheel = `duckdb-extension-httpfs==${HTTPFS_VERSION}`;
    await run('python3', [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--disable-pip-version-check',
      '--no-deps',
      '--only-binary=:all:',
      '-d',
      work,
      wheel,
    ]);
    const unpack = "import glob,sys,zipfile; zipfile.ZipFile(glob.glob(sys.argv[1]+'/*.whl')[0]).extractall(sys.argv[1])";
    await run('python3', ['-c', unpack, work]);
    await rename(join(work, 'duckdb_extension_httpfs', 'extensions', `v${HTTPFS_VERSION}`, FILE), file);
    return file;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};

if (import.meta.main) console.log(await httpfsExtension());
