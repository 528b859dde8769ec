/**
 * `node images/lay-out.ts NAME FOLDER`: the content of one of our images, without Node and the system's libraries, under FOLDER. The
 * Dockerfiles use it, so that a normal builder and the embedded cluster (test/cluster/images.ts) make images of the same content.
 * For the enclave sidecar it prints the measurement that a simulated genesis must allow (A2, A4).
 */
import { hash } from 'node:crypto';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bundleProgram, packageEntries, type ImageSpec } from '../test/cluster/images.ts';
import { imageNames, imageSpec } from './specs.ts';

const repository = resolve(import.meta.dirname, '..');

const placed = (folder: string, path: string): string => {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  return target;
};

/** Returns the bundled program. Throws with the bundler's messages. */
export const layOut = async (spec: ImageSpec, folder: string): Promise<Buffer> => {
  const program = await bundleProgram(spec);
  writeFileSync(placed(folder, 'app/main.mjs'), program);
  for (const entry of (spec.packages ?? []).flatMap(packageEntries))
    if ('file' in entry) cpSync(entry.file, placed(folder, entry.path), { dereference: true });
  for (const file of spec.files ?? []) {
    if ('text' in file) writeFileSync(placed(folder, file.path), file.text);
    else cpSync(resolve(repository, file.source), placed(folder, file.path));
  }
  for (const path of spec.folders ?? []) mkdirSync(join(folder, path), { recursive: true });
  return program;
};

if (import.meta.main) {
  const [name, folder, ...rest] = process.argv.slice(2);
  if (!name || !folder || rest.length > 0) {
    console.error(`usage: node images/lay-out.ts NAME FOLDER\nNAME: ${imageNames.join(', ')}`);
    process.exit(2);
  }
  const program = await layOut(await imageSpec(name), resolve(folder));
  if (name === 'scs-enclave-sidecar') console.log(`measurement ${hash('sha384', program, 'hex')}`);
}
