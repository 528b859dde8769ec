/** The programs compared with, built once into the tool cache from the module proxies. */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, toolsFolder } from '../../cluster/paths.ts';
import { step } from '../../cluster/progress.ts';
import { run } from '../../cluster/run.ts';
import { build } from '../../cluster/tools-build.ts';
import { ensureCached } from '../../cluster/tools.ts';

const sources = import.meta.dirname;

/** CometBFT 1.0 with its kvstore application. About a minute. */
export const ensureCometbft = (): Promise<string> =>
  ensureCached('cometbft', () =>
    build({
      title: 'CometBFT (about a minute, once)',
      binary: 'cometbft',
      module: join(sources, 'cometbft'),
      ldflags: '-s -w',
      program: 'github.com/cometbft/cometbft/cmd/cometbft',
    }),
  );

/** The load around the crate minbft. Rejects where the machine has no cargo. */
export const ensureMinbftBench = (): Promise<string> =>
  ensureCached('minbft-bench', () =>
    step('building the load around the crate minbft (about a minute, once)', async () => {
      const target = join(cacheFolder(), 'cargo-target');
      const manifest = join(sources, 'minbft-crate', 'Cargo.toml');
      await run('cargo', ['build', '--release', '--locked', '--quiet', '--manifest-path', manifest, '--target-dir', target], {
        timeoutMs: 900_000,
      });
      await rename(join(target, 'release', 'minbft-bench'), join(toolsFolder(), 'minbft-bench'));
    }),
  );
