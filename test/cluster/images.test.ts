import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundleProgram } from './images.ts';
import { librariesIn } from './libraries.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'images-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const programOf = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test('a bundle runs modules that use require and __dirname, and those that declare them', async () => {
  programOf('old.cjs', "exports.where = typeof __dirname; exports.joined = require('node:path').join('a', 'b');");
  programOf(
    'own.mjs',
    "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\nexport const own = typeof require('node:os').EOL;",
  );
  programOf('other.mjs', "import { dirname } from 'node:path';\nconst __dirname = dirname('/x/y');\nexport const other = __dirname;");
  const entry = programOf(
    'main.ts',
    "import old from './old.cjs';\nimport { own } from './own.mjs';\nimport { other } from './other.mjs';\nconst text: string = [old.where, old.joined, own, other].join(' ');\nconsole.log(text);",
  );
  const bundle = await bundleProgram({ name: 'probe', entry });
  expect(await bundleProgram({ name: 'probe', entry })).toEqual(bundle);
  const file = programOf('bundle.mjs', bundle.toString('utf8'));
  expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe('string a/b string /x\n');
});

test('the libraries of a program are found in what ldd prints', () => {
  const printed = `	linux-vdso.so.1 (0x00007f9342a34000)
	libdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f9342a1e000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f9342a36000)
`;
  expect(librariesIn(printed)).toEqual(['/lib/x86_64-linux-gnu/libdl.so.2', '/lib64/ld-linux-x86-64.so.2']);
  expect(librariesIn('	not a dynamic executable\n')).toEqual([]);
  expect(() => librariesIn('	libmissing.so => not found\n')).toThrow('libmissing.so');
});
