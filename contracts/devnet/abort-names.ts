import { gunzipSync } from 'node:zlib';
import { PackageMetadata } from '../toolchain/package-metadata.ts';
import { bcs } from '@mysten/bcs';
import { addressBytes, keyOf, sha3 } from './bytes.ts';
import type { ReadEntry } from './modules.ts';
import { resourceKey, structType } from './state-keys.ts';
import type { AbortName, VmFailure } from './vm-status.ts';

const Registry = bcs.struct('PackageRegistry', { packages: bcs.vector(PackageMetadata) });
const registryType = structType('0x1::code::PackageRegistry');
const maxSourceBytes = 1024 * 1024;
const cachedRegistries = 100;
const constant = /((?:^[ \t]*\/\/\/.*\n)*)^[ \t]*const (E\w*): u64 = (0x[0-9a-fA-F]+|\d+);/gm;

type Names = ReadonlyMap<string, AbortName>;

const namesIn = (source: string): [bigint, AbortName][] =>
  [...source.matchAll(constant)].map((m) => {
    const description = (m[1] ?? '')
      .replace(/^[ \t]*\/\/\/ ?/gm, '')
      .trim()
      .replace(/\n/g, ' ');
    return [BigInt(m[3] ?? '0'), { name: m[2] ?? '', description }];
  });

const namesOf = (registry: Uint8Array): Names => {
  const names = new Map<string, AbortName>();
  for (const { modules } of Registry.parse(registry).packages) {
    for (const module of modules) {
      if (module.source.length === 0) continue;
      const source = gunzipSync(module.source, { maxOutputLength: maxSourceBytes }).toString('utf8');
      for (const [code, name] of namesIn(source)) names.set(`${module.name}:${code}`, name);
    }
  }
  return names;
};

/** Reason codes below the category of `std::error`. */
const reasonMask = 0xffffn;

/**
 * Names of abort codes, from what the publisher put into the package's metadata (`abortConstants`). A registry is
 * parsed once. Metadata that doesn't unpack gives no names, which is no error: publishers may leave it out.
 */
export const openAbortNames = (): ((read: ReadEntry, failure: VmFailure) => AbortName | undefined) => {
  const parsed = new Map<string, Names>();
  const names = (registry: Uint8Array): Names => {
    const digest = keyOf(sha3(registry));
    const known = parsed.get(digest);
    if (known !== undefined) return known;
    if (parsed.size >= cachedRegistries) parsed.clear();
    let found: Names = new Map();
    try {
      found = namesOf(registry);
    } catch {
      found = new Map();
    }
    parsed.set(digest, found);
    return found;
  };
  return (read, failure) => {
    if (failure.kind !== 'abort') return undefined;
    const address = addressBytes(failure.address);
    const registry = address === undefined ? undefined : read(resourceKey(address, registryType));
    if (registry === undefined) return undefined;
    const table = names(registry);
    return table.get(`${failure.module}:${failure.code}`) ?? table.get(`${failure.module}:${failure.code & reasonMask}`);
  };
};
