import { cp, mkdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { libraryPath } from '../toolchain/native-library.ts';
import { writeFramework } from './framework.ts';

/**
 * `node contracts/devnet/bundle.ts OUT`: everything that the devnet's image holds, in one folder, for this machine's platform:
 *
 *     devnet.mjs               the node (main.ts), in one file
 *     framework.json           framework-dev, compiled: no compiler in the image
 *     lib/libmovevm.*          the VM (BUSL-1.1: development and tests only, see NOTICE)
 *     node_modules/koffi, ...  the bridge to it
 *     NOTICE
 *
 * Run: SCS_MOVE_LIBRARY_DIR=OUT/lib SCS_DEVNET_FRAMEWORK=OUT/framework.json node OUT/devnet.mjs --listen 0.0.0.0:8080 --data /data
 */
const here = path.dirname(fileURLToPath(import.meta.url));
const koffi = path.dirname(createRequire(import.meta.url).resolve('koffi'));
const bridge = `koffi-${process.platform}-${process.arch}`;
// ECMAScript modules have no require; what is bundled of CommonJS asks for one.
const banner = "import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url);";

export const bundleDevnet = async (out: string): Promise<void> => {
  const folder = path.resolve(out);
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.join(folder, 'lib'), { recursive: true });
  await build({
    entryPoints: [path.join(here, 'main.ts')],
    outfile: path.join(folder, 'devnet.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['koffi', '@initia/builder.js'],
    banner: { js: banner },
    logLevel: 'warning',
  });
  await writeFramework(path.join(folder, 'framework.json'));
  const library = libraryPath('libmovevm');
  await cp(library, path.join(folder, 'lib', path.basename(library)));
  const wanted = (source: string): boolean => !/\/koffi\/(doc|vendor)(\/|$)/.test(source);
  await cp(koffi, path.join(folder, 'node_modules', 'koffi'), { recursive: true, filter: wanted });
  await cp(path.join(koffi, '..', '@koromix', bridge), path.join(folder, 'node_modules', '@koromix', bridge), { recursive: true });
  await cp(path.join(here, '..', '..', 'NOTICE'), path.join(folder, 'NOTICE'));
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = process.argv[2];
  if (out === undefined) throw new Error('usage: bundle.ts OUT');
  await bundleDevnet(out);
}
