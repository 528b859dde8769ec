import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { staleVectors } from '../../test/vectors/generate.ts';
import { buildPackage } from '../toolchain/move.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The Move unit tests run in `../move-tests.test.ts`. */
describe('contracts/scs', () => {
  test('E3: the golden vectors are what the encoders give today', async () => expect(await staleVectors()).toEqual([]));

  test('the package publishes in one transaction: well below the 64 KiB of Aptos', async () => {
    const { modules } = await buildPackage(folder, { namedAddresses: { scs: '0x5c5' } });
    expect(modules.reduce((sum, m) => sum + m.bytecode.length, 0)).toBeLessThan(48 * 1024);
  });
});
