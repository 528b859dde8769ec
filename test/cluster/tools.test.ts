import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isRecentGo } from './go.ts';
import { withLock } from './lock.ts';
import { checkedName } from './paths.ts';
import { isRecentHelm, minorOf } from './tools.ts';
import { unzipOne } from './zip.ts';

test.each`
  text                             | recent
  ${'go version go1.25.9 linux'}   | ${false}
  ${'go version go1.26.0 linux'}   | ${true}
  ${'go version go2.0 linux'}      | ${true}
  ${'bash: go: command not found'} | ${false}
`('$text builds this Kubernetes: $recent', ({ text, recent }: { text: string; recent: boolean }) => expect(isRecentGo(text)).toBe(recent));

test('versions are read from what the tools print', () => {
  expect(minorOf('Client Version: v1.32.4-dispatcher')).toBe(32);
  expect(minorOf('Kubernetes v1.37.2')).toBe(37);
  expect(minorOf('etcd Version: 3.7.0')).toBe(0);
  expect([isRecentHelm('v3.16.4+g1'), isRecentHelm('v3.19.0+g1'), isRecentHelm('v4.1.4+g1'), isRecentHelm('')]).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

test('names that would leave the state folder are refused', () => {
  expect(checkedName('side-a')).toBe('side-a');
  for (const name of ['', '..', 'a/b', 'A', '-a', 'a-', 'x'.repeat(40)]) expect(() => checkedName(name)).toThrow('is no name');
});

test('a file comes out of a ZIP archive, a damaged one does not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zip-'));
  try {
    const script =
      "import zipfile,sys\nz=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)\nz.writestr('a/x','x'*5000)\nz.writestr('b','plain',zipfile.ZIP_STORED)";
    execFileSync('python3', ['-c', script, join(folder, 'a.zip')]);
    const archive = readFileSync(join(folder, 'a.zip'));
    expect(unzipOne(archive, 'a/x').toString()).toBe('x'.repeat(5000));
    expect(unzipOne(archive, 'b').toString()).toBe('plain');
    expect(() => unzipOne(archive, 'c')).toThrow('not in the archive');
    expect(() => unzipOne(archive.subarray(0, 40), 'b')).toThrow('no ZIP archive');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('holders of a lock follow one another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await turn();
    writeFileSync(join(folder, 'seen'), String(inside));
    inside -= 1;
  };
  try {
    await Promise.all([1, 2, 3].map(() => withLock(join(folder, 'lock'), work)));
    expect(most).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
