import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { bcs } from '@mysten/bcs';
import type { CompiledPackage } from './move.ts';

/** As `0x1::code` reads it; the same layout on Aptos. */
const Any = bcs.struct('Any', { typeName: bcs.string(), data: bcs.byteVector() });
export const PackageMetadata = bcs.struct('PackageMetadata', {
  name: bcs.string(),
  upgradePolicy: bcs.u8(),
  upgradeNumber: bcs.u64(),
  sourceDigest: bcs.string(),
  manifest: bcs.byteVector(),
  modules: bcs.vector(
    bcs.struct('ModuleMetadata', { name: bcs.string(), source: bcs.byteVector(), sourceMap: bcs.byteVector(), extension: bcs.option(Any) }),
  ),
  deps: bcs.vector(bcs.struct('PackageDep', { account: bcs.bytes(32), packageName: bcs.string() })),
  extension: bcs.option(Any),
});

export const upgradePolicies = { compatible: 1, immutable: 2 } as const;
export type UpgradePolicy = keyof typeof upgradePolicies;

/** What packages of ours link to, all at 0x1. */
const frameworkPackages = ['AptosFramework', 'AptosStdlib', 'MoveStdlib'];
const frameworkAddress = Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : 0));

const moduleOf = /^\s*module\s+\w+::(\w+)/m;
/** A documented constant whose name starts with E: an abort code. The doc comment is one line or more. */
const constants = /((?:^[ \t]*\/\/\/.*\n)*)^[ \t]*const E\w*: u64 = [^;]+;/gm;

/**
 * The lines that declare a module's abort codes. They take the place of the source in the package's metadata: enough for a node to name an
 * abort, small enough for a transaction of 64 KiB.
 */
export const abortConstants = (source: string): string => [...source.matchAll(constants)].map((m) => m[0]).join('\n');

/** BCS of the package's metadata, for `publish_package_txn`. */
export const packageMetadata = (compiled: CompiledPackage, policy: UpgradePolicy = 'compatible'): Uint8Array => {
  const sourceOf = new Map(compiled.sources.map((s) => [moduleOf.exec(s.text)?.[1] ?? '', s.text]));
  const digest = createHash('sha256');
  for (const s of compiled.sources) digest.update(s.file).update('\0').update(s.text).update('\0');
  return PackageMetadata.serialize({
    name: compiled.name,
    upgradePolicy: upgradePolicies[policy],
    upgradeNumber: 0,
    sourceDigest: digest.digest('hex').toUpperCase(),
    manifest: new Uint8Array(),
    modules: compiled.modules.map((m) => ({
      name: m.name,
      source: gzipSync(abortConstants(sourceOf.get(m.name) ?? ''), { level: 9 }),
      sourceMap: new Uint8Array(),
      extension: null,
    })),
    deps: frameworkPackages.map((packageName) => ({ account: frameworkAddress, packageName })),
    extension: null,
  }).toBytes();
};
