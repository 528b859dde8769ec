import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { archiveEntries, storeImage, storeLayer } from './oci.ts';
import { complete, type Entry, tarOf } from './tar.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oci-'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const long = `app/${'deep/'.repeat(24)}file.txt`;
const entries = (): Entry[] => [
  { path: 'usr/bin/tool', mode: 0o755, file: join(folder, 'tool') },
  { path: long, mode: 0o644, bytes: Buffer.from('far down') },
  { path: 'lib', mode: 0o777, link: 'usr/lib' },
  { path: 'data', mode: 0o700, owner: 65532, folder: true },
];

const imageOf = (content: string, mode: number, entrypoint: string): string =>
  storeImage('example/tool:1', { entrypoint: [entrypoint] }, [storeLayer([{ path: 'x', mode, bytes: Buffer.from(content) }])]).digest;

test('an archive is what tar reads', () => {
  writeFileSync(join(folder, 'tool'), 'x'.repeat(1500));
  const archive = join(folder, 'a.tar');
  writeFileSync(archive, Buffer.concat([...tarOf(complete(entries()))]));
  const listed = execFileSync('tar', ['--numeric-owner', '-tvf', archive], { encoding: 'utf8' });
  expect(listed).toMatch(/-rwxr-xr-x 0\/0 +1500 1970-01-01 \d\d:\d\d usr\/bin\/tool/);
  expect(listed).toMatch(/drwx------ 65532\/65532 .* data\//);
  expect(listed).toMatch(/lib -> usr\/lib/);
  expect(execFileSync('tar', ['-xOf', archive, long], { encoding: 'utf8' })).toBe('far down');
});

test('the same content gives the same image, whatever the order, the time and the place of its files', () => {
  const digests = ['one', 'two'].map((place, turn) => {
    mkdirSync(join(folder, place));
    const file = join(folder, place, 'tool');
    writeFileSync(file, 'tool');
    utimesSync(file, turn * 1000, turn * 1000);
    const list: Entry[] = [
      { path: 'usr/bin/tool', mode: 0o755, file },
      { path: 'etc/x', mode: 0o644, bytes: Buffer.from('x') },
    ];
    const layer = storeLayer(turn === 0 ? list : list.toReversed());
    return storeImage('example/tool:1', { entrypoint: ['/usr/bin/tool'] }, [layer]).digest;
  });
  expect(digests[0]).toBe(digests[1]);
});

test('a changed file, mode or entry point gives another image', () => {
  expect(new Set([imageOf('a', 0o644, '/x'), imageOf('b', 0o644, '/x'), imageOf('a', 0o755, '/x'), imageOf('a', 0o644, '/y')]).size).toBe(
    4,
  );
});

test('a file replaced in place is packed again', () => {
  const file = join(folder, 'tool');
  writeFileSync(file, 'old');
  const before = storeLayer([{ path: 'tool', mode: 0o755, file }]);
  rmSync(file);
  writeFileSync(file, 'new');
  utimesSync(file, 5, 5);
  expect(storeLayer([{ path: 'tool', mode: 0o755, file }]).digest).not.toBe(before.digest);
});

test('an archive leaves out blobs that are there already, and keeps the index', () => {
  const base = storeLayer([{ path: 'base', mode: 0o644, bytes: Buffer.from('base') }]);
  const image = storeImage('example/tool:1', { entrypoint: ['/x'] }, [base]);
  const paths = (present: Set<string>): string[] => archiveEntries([image], present).map(({ path }) => path);
  expect(paths(new Set())).toContain(`blobs/${base.digest.replace(':', '/')}`);
  expect(paths(new Set([base.digest]))).not.toContain(`blobs/${base.digest.replace(':', '/')}`);
  expect(paths(new Set([base.digest]))).toContain('index.json');
});

test('two entries for one path are refused', () => {
  symlinkSync('a', join(folder, 'link'));
  expect(() => complete([entries()[2]!, entries()[2]!])).toThrow('two entries for lib');
});
