import { existsSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { attempt } from './run.ts';
import type { Entry } from './tar.ts';

/** Paths of shared libraries and the loader in what `ldd` prints. Throws when one is missing on this machine. */
export const librariesIn = (printed: string): string[] => {
  const missing = printed.split('\n').filter((line) => line.includes('=> not found'));
  if (missing.length > 0) throw new Error(`libraries missing here: ${missing.map((line) => line.trim()).join(', ')}`);
  return [...printed.matchAll(/(?:=> |^\s*)(\/[^\s]+) \(0x/gm)].map((match) => match[1] ?? '');
};

/** Loaded by name at run time by older C libraries; part of the C library in newer ones. */
const nameService = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

/** Everything that `binaries` need to load, at the paths they have here; static programs need nothing. Libraries beside a binary are its own business. */
export const librariesOf = async (binaries: readonly string[]): Promise<Entry[]> => {
  const found = new Set<string>();
  for (const binary of binaries) {
    const printed = (await attempt('ldd', [binary])).stdout;
    for (const library of librariesIn(printed)) {
      if (dirname(library) === dirname(binary)) continue;
      found.add(library);
      if (!library.includes('/libc.so')) continue;
      for (const name of nameService) if (existsSync(`${dirname(library)}/${name}`)) found.add(`${dirname(library)}/${name}`);
    }
  }
  return [...found].toSorted().map((library) => ({ path: library.slice(1), mode: 0o755, file: realpathSync(library) }));
};
