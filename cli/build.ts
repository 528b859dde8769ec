/**
 * The plugin as one executable file: `node cli/build.ts [FILE]` (make plugin). It needs Node 22.15 or later where it runs
 * (client-node's undici does) and nothing beside it; kubectl finds it on the PATH as `kubectl symphony`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const repository = resolve(import.meta.dirname, '..');

/** Runs before the bundle's own code. CommonJS packages inside it still call require for Node's own modules. */
const prelude = `import { createRequire as scsRequire } from 'node:module';
const require = scsRequire(import.meta.url);
const [scsMajor, scsMinor] = process.versions.node.split('.').map(Number);
if (scsMajor < 22 || (scsMajor === 22 && scsMinor < 15)) {
  process.stderr.write('kubectl symphony needs Node 22.15 or later; this is ' + process.version + '.\\n');
  process.exit(69);
}`;

/**
 * `interpreter`: absolute path of a Node for its first line, where that of the PATH may be too old; left to the PATH when the
 * path can't stand in a first line (spaces, or too long for the kernel). Returns `file`.
 */
export const buildPlugin = async (file: string, interpreter?: string): Promise<string> => {
  const { outputFiles } = await build({
    absWorkingDir: repository,
    entryPoints: ['cli/src/main.ts'],
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    logLevel: 'error',
    legalComments: 'none',
    banner: { js: prelude },
  });
  const [, ...code] = outputFiles[0]!.text.split('\n');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, [firstLine(interpreter), ...code].join('\n'), { mode: 0o755 });
  return file;
};

const MAX_FIRST_LINE = 127;
/** Exported for its test. */
export const firstLine = (interpreter: string | undefined): string => {
  const own = `#!${interpreter ?? ''}`;
  return interpreter && !/\s/.test(own) && own.length <= MAX_FIRST_LINE ? own : '#!/usr/bin/env node';
};

if (import.meta.main) {
  const file = await buildPlugin(resolve(process.argv[2] ?? join(repository, 'cli/build/kubectl-symphony')));
  process.stdout.write(`${file}\n`);
}
