/** The plugin as users get it: one file, run by the kernel, far from our folders. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildPlugin, firstLine } from './build.ts';

let folder: string;
let plugin: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-plugin-'));
  plugin = await buildPlugin(join(folder, 'bin', 'kubectl-symphony'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const bare = `${dirname(process.execPath)}:/usr/bin:/bin`;
/** With the Node of this process first on an otherwise bare PATH. */
const execute = (...args: string[]) => promisify(execFile)(plugin, args, { cwd: folder, env: { PATH: bare } });

test('is one executable file', () => {
  expect(statSync(plugin).mode & 0o777 & 0o111).toBeGreaterThan(0);
  expect(readFileSync(plugin, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\nimport /);
});
test('runs anywhere, with exit codes', async () => {
  expect((await execute('help')).stdout).toContain('verify               check the chain of proof');
  mkdirSync(join(folder, 'keys'));
  expect((await execute('keygen', 'submitter', 'x', '--out', 'keys')).stdout).toContain('keys/submitter-x: submitter x, address 0x');
  await expect(execute('result')).rejects.toMatchObject({ code: 2, stderr: 'Which task? Give task/NAME. (Usage)\n' });
});
test('-f - reads a pipe', async () => {
  const child = execFile(plugin, ['resolve', '-f', '-', '--genesis', 'none'], { cwd: folder, env: { PATH: bare } });
  child.stdin!.end('a: [');
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(1);
});
test('also through a link, as package managers install it', async () => {
  symlinkSync(plugin, join(folder, 'linked'));
  const { stdout } = await promisify(execFile)(join(folder, 'linked'), ['help'], {
    env: { PATH: bare },
  });
  expect(stdout).toContain('kubectl symphony');
});
test.each([
  [undefined, '#!/usr/bin/env node'],
  ['/opt/node/bin/node', '#!/opt/node/bin/node'],
  ['/opt/my node/bin/node', '#!/usr/bin/env node'],
  [`/${'long/'.repeat(30)}node`, '#!/usr/bin/env node'],
])('the first line for %s', (interpreter, line) => expect(firstLine(interpreter)).toBe(line));
