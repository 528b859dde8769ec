import { existsSync } from 'node:fs';
import { checkInterrupt } from './interrupt.ts';
import { say, step } from './progress.ts';
import { attempt, run } from './run.ts';
import { findIn, pathFolders } from './tools.ts';

/** Programs that the full cluster needs from the system, and the Debian package that brings each. */
const needed: readonly { program: string; pack: string; folders?: readonly string[] }[] = [
  { program: 'containerd', pack: 'containerd' },
  { program: 'ctr', pack: 'containerd' },
  { program: 'runc', pack: 'runc' },
  { program: 'nft', pack: 'nftables' },
  { program: 'ip', pack: 'iproute2' },
  { program: 'ptp', pack: 'containernetworking-plugins', folders: ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'] },
];

/** Where the network plugins are. */
export const pluginFolder = (): string => {
  const folder = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'].find((candidate) => existsSync(`${candidate}/ptp`));
  if (folder === undefined) throw new Error('no network plugins (ptp, host-local) found: install containernetworking-plugins');
  return folder;
};

export const missingPackages = (): string[] => [
  ...new Set(needed.filter(({ program, folders }) => findIn(folders ?? pathFolders(), program) === undefined).map(({ pack }) => pack)),
];

/** Installs what is missing with apt-get, after saying what. Throws, naming the packages, where there is no apt-get. */
export const ensureSystemPrograms = async (): Promise<void> => {
  const packages = missingPackages();
  if (packages.length === 0) return;
  if (findIn(pathFolders(), 'apt-get') === undefined) throw new Error(`please install: ${packages.join(' ')}`);
  say(`This machine lacks ${packages.join(', ')}. They are installed as Debian packages, system-wide; \`down --purge\` leaves them.`);
  await step(`apt-get install ${packages.join(' ')}`, async () => {
    const apt = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, uninterrupted: true };
    const install = ['install', '--yes', '--quiet', '--no-install-recommends', ...packages];
    if ((await attempt('apt-get', install, apt)).code === 0) return;
    checkInterrupt();
    // Package lists may be old or absent, and an installation that was interrupted wants finishing.
    await attempt('dpkg', ['--configure', '-a'], apt);
    await run('apt-get', ['update', '--quiet'], apt);
    await run('apt-get', install, apt);
  });
};
