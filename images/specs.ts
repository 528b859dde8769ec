/**
 * Our images, for the embedded cluster (test/cluster/images.ts builds them without Docker) and for the Dockerfiles beside this
 * file, which hold the same. Production images carry no non-free code; `scs-devnet` is for development and tests only.
 */
import { join } from 'node:path';
import { mkdirSync, readdirSync } from 'node:fs';
import { writeFramework } from '../contracts/devnet/framework.ts';
import { cacheFolder } from '../test/cluster/paths.ts';
import type { ImageSpec } from '../test/cluster/images.ts';
import { duckdbParts, moveParts } from '../test/cluster/native-parts.ts';
import { httpfsExtension } from '../vault/scripts/fetch-httpfs.ts';

/** The subjects' page (C4), from here. */
const RIGHTS_PAGE = 'vault/src/rights/page';

/** By name; what an image holds beyond its bundle may have to be fetched or compiled first. */
const makers: Readonly<Record<string, () => Promise<Omit<ImageSpec, 'name'>> | Omit<ImageSpec, 'name'>>> = {
  'scs-master': () => ({ entry: 'operator/src/master/main.ts', folders: ['/var/lib/scs'] }),
  'scs-agent': () => ({ entry: 'operator/src/agent/main.ts' }),
  'scs-enclave-sidecar': () => ({ entry: 'enclave-sidecar/src/main.ts' }),
  'scs-executor': () => ({ entry: 'executor/src/main.ts', ...duckdbParts }),
  'scs-vault': async () => ({
    entry: 'vault/src/main.ts',
    ...duckdbParts,
    files: [
      { path: '/app/httpfs.duckdb_extension', source: await httpfsExtension() },
      ...readdirSync(join(import.meta.dirname, '..', RIGHTS_PAGE)).map((name) => ({
        path: `/app/rights/${name}`,
        source: join(RIGHTS_PAGE, name),
      })),
    ],
    folders: ['/var/lib/scs'],
  }),
  'scs-devnet': async () => ({
    entry: 'contracts/devnet/main.ts',
    external: ['@initia/builder.js'],
    ...moveParts,
    files: [
      ...(moveParts.files ?? []).filter((file) => file.path.includes('libmovevm')),
      { path: '/app/framework.json', source: await compiledFramework() },
      { path: '/app/NOTICE', source: 'NOTICE' },
    ],
    environment: { ...moveParts.environment, SCS_DEVNET_FRAMEWORK: '/app/framework.json' },
    folders: ['/var/lib/devnet'],
  }),
};

export const imageNames = Object.keys(makers);
/** Throws on a name that is not ours. */
export const imageSpec = async (name: string): Promise<ImageSpec> => {
  const make = makers[name];
  if (!make) throw new Error(`there is no image ${name}; there are ${imageNames.join(', ')}`);
  return { name, ...(await make()) };
};
export const imageSpecs = (): Promise<readonly ImageSpec[]> => Promise.all(imageNames.map(imageSpec));

/** Compiled here, so that no compiler is in the image. */
const compiledFramework = async (): Promise<string> => {
  const folder = join(cacheFolder(), 'images');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'devnet-framework.json');
  await writeFramework(file);
  return file;
};
