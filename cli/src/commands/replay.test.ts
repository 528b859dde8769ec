import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGenesis, encodeLogged, hex, type LoggedBlock } from '@scs/protocol';
import { logOf } from '@scs/protocol/testing/log.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { MAX_LINE_BYTES } from '../log-lines.ts';
import { symphony } from '../testing/cli.ts';

describe('X1: replay', () => {
  const world = World.ready();
  let folder: string;
  let log: readonly LoggedBlock[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-replay-'));
    writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(world.genesis));
    world.runTo(world.submit(aTask()), 'completed');
    log = logOf(world);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const replay = (content: string | Uint8Array, ...more: string[]) => {
    const file = join(folder, 'log');
    writeFileSync(file, content);
    return symphony(['replay', '-f', file, '--genesis', join(folder, 'genesis.bin'), ...more]);
  };
  const lines = (blocks: readonly LoggedBlock[]): string => blocks.map((b) => `${Buffer.from(encodeLogged(b)).toString()}\n`).join('');

  test('a whole log gives the certified state root', async () => {
    const { code, out, err } = await replay(lines(log));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`ok  ${log.length} blocks with ${log.reduce((n, l) => n + l.block.commands.length, 0)} commands`);
    expect(out).toContain(`state root ${hex(world.state.root())}`);
    expect(JSON.parse((await replay(lines(log), '-o', 'json')).out)).toMatchObject({
      blocks: log.length,
      stateRoot: hex(world.state.root()),
    });
  });
  test('the first block that does not fit is named', async () => {
    const { code, err } = await replay(lines(log.toSpliced(5, 1)));
    expect(code).toBe(1);
    expect(err).toContain('Block 6: BlockRefused: the rules refuse it: HeightMismatch');
  });
  test.each([
    ['an empty log', '', 'There is no block in it'],
    ['something else', 'apiVersion: v1\n', 'Block 1: LogMalformed'],
    ['a line without an end', 'x'.repeat(MAX_LINE_BYTES + 1), 'A line is longer than'],
  ])('%s', async (_, content, message) => {
    const { code, err } = await replay(content);
    expect(code).toBe(1);
    expect(err).toContain(message);
  });
  test('no such file', async () => {
    const { code, err } = await symphony(['replay', '-f', join(folder, 'absent'), '--genesis', join(folder, 'genesis.bin')]);
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('There is no file') as string });
  });
});
