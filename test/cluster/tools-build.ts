import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureGo } from './go.ts';
import { cacheFolder, kubernetesVersion, toolsFolder } from './paths.ts';
import { step } from './progress.ts';
import { run } from './run.ts';

const kwokVersion = 'v0.8.0';
const sources = import.meta.dirname;

const versionFlags = (version: string): string => {
  const [major, minor] = version.slice(1).split('.');
  const at = 'k8s.io/component-base/version';
  return `-s -w -X ${at}.gitVersion=${version} -X ${at}.gitMajor=${major} -X ${at}.gitMinor=${minor} -X ${at}.gitTreeState=clean`;
};

export type Build = { title: string; binary: string; module: string; ldflags: string; program?: string };

/**
 * Builds one binary from the module's folder with the lowest priority. Go's own build cache makes an interrupted build go on where it stopped; the binary
 * takes its name only when it is complete.
 */
export const build = async ({ title, binary, module, ldflags, program = '.' }: Build): Promise<string> => {
  const target = join(toolsFolder(), binary);
  const log = join(toolsFolder(), `.${binary}.build.log`);
  const work = join(toolsFolder(), `.${binary}.source`);
  const go = await ensureGo();
  await step(`building ${title} from source into ${target} (log: ${log})`, async () => {
    await rm(work, { recursive: true, force: true });
    await mkdir(toolsFolder(), { recursive: true });
    // Built from a copy: the checkout stays clean, and may be read-only.
    await cp(module, work, { recursive: true });
    await run('nice', ['-n', '19', go, 'build', '-trimpath', '-ldflags', ldflags, '-o', `${target}.partial`, program], {
      cwd: work,
      log,
      env: goEnvironment(),
    });
    await rename(`${target}.partial`, target);
    await rm(work, { recursive: true, force: true });
  });
  return target;
};

const goCache = (): string => join(cacheFolder(), 'go-build');
const moduleCache = (): string => join(cacheFolder(), 'go-modules');

/** Static binaries, sums checked against the committed go.sum, no settings from the machine's Go flags; caches of our own, so that they can be removed. */
const goEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CGO_ENABLED: '0',
  GOFLAGS: '-buildvcs=false -mod=readonly -modcacherw',
  GOTOOLCHAIN: 'local',
  GOCACHE: goCache(),
  GOMODCACHE: moduleCache(),
});

/** Removes what only a build needs: sources and compiled packages, some 3 GB. */
export const removeBuildCaches = async (): Promise<void> => {
  for (const folder of [goCache(), moduleCache(), join(cacheFolder(), 'go-toolchain')]) await rm(folder, { recursive: true, force: true });
};

/** etcd, control plane and node components in one binary, called by name. About 15 minutes on two cores, then cached. */
export const buildKubernetes = (): Promise<string> =>
  build({
    title: `Kubernetes ${kubernetesVersion} and etcd (15-25 minutes on two cores, once)`,
    binary: 'kubernetes',
    module: join(sources, 'kubernetes'),
    ldflags: versionFlags(kubernetesVersion),
  });

/** CoreDNS with the few plugins a cluster needs. About two minutes. */
export const buildCoredns = (): Promise<string> =>
  build({ title: 'CoreDNS (about 2 minutes, once)', binary: 'coredns', module: join(sources, 'coredns'), ldflags: '-s -w' });

/** kwok, for benchmarks with thousands of pods that run nothing. About three minutes. */
export const buildKwok = (): Promise<string> =>
  build({
    title: `kwok ${kwokVersion} (about 3 minutes, once)`,
    binary: 'kwok',
    module: join(sources, 'kwok'),
    ldflags: '-s -w',
    program: 'sigs.k8s.io/kwok/cmd/kwok',
  });
