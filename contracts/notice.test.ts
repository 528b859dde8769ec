/** What NOTICE says of the Business Source License: the Move compiler and VM are in no production image and no runtime dependency. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { imageNames, imageSpec } from '../images/specs.ts';
import { bundleProgram, packageEntries } from '../test/cluster/images.ts';

const repository = path.join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(repository, file), 'utf8');
/** Whatever loads, holds or is one of the libraries says one of these. */
const traces = ['@initia', 'libmovevm', 'libcompiler', 'koffi', 'devnet, not Aptos'];
const tracesIn = (text: string): string[] => traces.filter((trace) => text.includes(trace));

/** Traces in everything that the image holds beside Node: its program, and the names of its packages' and further files. */
const tracesOf = async (name: string): Promise<string[]> => {
  const spec = await imageSpec(name);
  const program = (await bundleProgram(spec)).toString('utf8');
  const packages = (spec.packages ?? []).flatMap(packageEntries).map((entry) => entry.path);
  const files = (spec.files ?? []).flatMap((file) => ['source' in file ? file.source : file.text, file.path]);
  return tracesIn([program, ...packages, ...files].join('\n'));
};

const Lock = z.object({
  packages: z.record(z.string(), z.object({ dev: z.boolean().optional(), dependencies: z.record(z.string(), z.string()).optional() })),
});
const lock = Lock.parse(JSON.parse(read('package-lock.json'))).packages;

describe('NOTICE', () => {
  test.each(imageNames.filter((name) => name !== 'scs-devnet'))('no BUSL code in %s', async (name) =>
    expect(await tracesOf(name)).toEqual([]),
  );

  test('the devnet image is the one that holds the VM, not the compiler; it says so', async () => {
    const spec = await imageSpec('scs-devnet');
    const paths = (spec.files ?? []).map((file) => file.path);
    expect(paths.filter((file) => /libmovevm/.test(file))).toHaveLength(1);
    expect(paths.filter((file) => /libcompiler/.test(file))).toEqual([]);
    expect(paths).toContain('/app/NOTICE');
    expect(await tracesOf('scs-devnet')).toContain('devnet, not Aptos');
    expect(read('images/scs-devnet.Dockerfile')).toContain('DEVELOPMENT AND TESTS ONLY');
  });

  test.each(['node_modules/@initia/builder.js', 'node_modules/koffi'])('%s is for development only', (name) => {
    expect(lock[name]?.dev).toBe(true);
    const dependents = Object.entries(lock).filter(([, entry]) => name.replace('node_modules/', '') in (entry.dependencies ?? {}));
    expect(dependents.map(([at]) => at)).toEqual([]);
  });

  test('NOTICE names package, version and licence', () => {
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('node_modules/@initia/builder.js/package.json')));
    for (const words of ['@initia/builder.js', version, 'Business Source License 1.1', 'no production image'])
      expect(read('NOTICE')).toContain(words);
  });
});
