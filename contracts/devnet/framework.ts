import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { buildPackage } from '../toolchain/move.ts';
import type { CompiledPackage } from '../toolchain/move.ts';
import { packageMetadata } from '../toolchain/package-metadata.ts';

/** The framework as a genesis takes it: bytecode in the order in which it links, and metadata that names abort codes. */
export type FrameworkBundle = { readonly modules: readonly Uint8Array[]; readonly metadata: readonly Uint8Array[] };

const packages = ['move-stdlib', 'aptos-stdlib', 'aptos-framework'];
const folder = fileURLToPath(new URL('../framework-dev/', import.meta.url));

/** Compiles `framework-dev`. Takes under a second. */
export const buildFramework = async (): Promise<FrameworkBundle> => {
  const built: CompiledPackage[] = await Promise.all(packages.map((name) => buildPackage(folder + name)));
  return { modules: built.flatMap((p) => p.modules.map((m) => m.bytecode)), metadata: built.map((p) => packageMetadata(p)) };
};

const Base64 = z.string().transform((text) => Buffer.from(text, 'base64'));
const BundleFile = z.object({ modules: z.array(Base64), metadata: z.array(Base64) });

/** For images, which hold no compiler: the bundle as a JSON file. */
export const writeFramework = async (file: string): Promise<void> => {
  const { modules, metadata } = await buildFramework();
  const encode = (items: readonly Uint8Array[]) => items.map((b) => Buffer.from(b).toString('base64'));
  await writeFile(file, JSON.stringify({ modules: encode(modules), metadata: encode(metadata) }));
};

export const readFramework = async (file: string): Promise<FrameworkBundle> => BundleFile.parse(JSON.parse(await readFile(file, 'utf8')));
