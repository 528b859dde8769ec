import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MoveCompilerError, buildPackage, testPackage } from './move.ts';
import { PackageMetadata, abortConstants, packageMetadata } from './package-metadata.ts';

const framework = fileURLToPath(new URL('../framework-dev/move-stdlib', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'scs-toolchain-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = async (sources: Readonly<Record<string, string>>): Promise<void> => {
  await mkdir(path.join(folder, 'sources'), { recursive: true });
  await writeFile(
    path.join(folder, 'Move.toml'),
    `[package]\nname = "Tiny"\nversion = "0.0.1"\n[addresses]\ntiny = "_"\n[dev-addresses]\ntiny = "0x7"\n[dependencies]\nMoveStdlib = { local = "${framework}" }\n`,
  );
  for (const [file, text] of Object.entries(sources)) await writeFile(path.join(folder, 'sources', file), text);
};

const sources = {
  'a.move': 'module tiny::a { use tiny::b; public fun one(): u64 { b::one() } }',
  'b.move':
    'module tiny::b {\n    friend tiny::a;\n    /// It is odd.\n    const E_ODD: u64 = 5;\n    public(friend) fun one(): u64 { 1 }\n    #[test] fun good() { assert!(one() == 1, E_ODD); }\n    #[test] fun bad() { assert!(one() == 2, E_ODD); }\n}',
};

describe('the Move toolchain', () => {
  test('modules come dependencies first, at the address given; nothing is written beside the sources', async () => {
    await write(sources);
    const built = await buildPackage(folder, { namedAddresses: { tiny: '0x1234' } });
    expect(built.modules.map((m) => m.name)).toEqual(['b', 'a']);
    expect(Buffer.from(built.modules[0]?.bytecode ?? []).includes(Buffer.from('1234'.padStart(64, '0'), 'hex'))).toBe(true);
    expect((await readdir(folder)).filter((f) => f !== 'Move.lock').toSorted()).toEqual(['Move.toml', 'sources']);
  });

  test('each Move test is told apart, a failure with its output', async () => {
    await write(sources);
    const report = await testPackage(folder);
    expect(report.ok).toBe(false);
    expect(report.tests.toSorted((x, y) => x.name.localeCompare(y.name))).toEqual([
      { name: '0x7::b::bad', passed: false },
      { name: '0x7::b::good', passed: true },
    ]);
    expect(report.output).toContain('E_ODD');
    expect((await testPackage(folder, { filter: 'good' })).tests).toEqual([{ name: '0x7::b::good', passed: true }]);
  });

  test('an error of the compiler is thrown in its own words', async () => {
    await write({ 'a.move': 'module tiny::a { fun f(): u64 { true } }' });
    const failed = buildPackage(folder, { namedAddresses: { tiny: '0x7' } });
    await expect(failed).rejects.toThrow(MoveCompilerError);
    await expect(failed).rejects.toThrow('cannot return `bool`');
    expect((await testPackage(folder)).ok).toBe(false);
  });

  test('metadata carries the abort codes with their documentation', async () => {
    await write(sources);
    const built = await buildPackage(folder, { namedAddresses: { tiny: '0x7' } });
    const metadata = PackageMetadata.parse(packageMetadata(built, 'immutable'));
    expect(metadata).toMatchObject({ name: 'Tiny', upgradePolicy: 2 });
    expect(gunzipSync(metadata.modules[0]?.source ?? new Uint8Array()).toString()).toBe('    /// It is odd.\n    const E_ODD: u64 = 5;');
    expect(abortConstants('module m { const OTHER: u64 = 1; }')).toBe('');
  });
});
