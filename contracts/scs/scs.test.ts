import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { staleVectors } from '../../test/vectors/generate.ts';
import { buildPackage, testPackage } from '../toolchain/move.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

describe('contracts/scs', () => {
  test('K9, P3-P5, K2, G4: the Move unit tests pass', async () => {
    const report = await testPackage(folder);
    expect(report.tests.filter((t) => !t.passed)).toEqual([]);
    expect(report.tests.length).toBeGreaterThan(70);
    expect(report.ok, report.output).toBe(true);
  });

  test('E3: the golden vectors are what the encoders give today', async () => expect(await staleVectors()).toEqual([]));

  test('the package publishes in one transaction: well below the 64 KiB of Aptos', async () => {
    const { modules } = await buildPackage(folder, { namedAddresses: { scs: '0x5c5' } });
    expect(modules.reduce((sum, m) => sum + m.bytecode.length, 0)).toBeLessThan(32 * 1024);
  });
});
