/** Writes crds/*.yaml from the zod schemas. `--check` writes nothing and fails where a file differs. */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { customResourceDefinition } from '../src/resources/crd.ts';
import { definitions } from '../src/resources/definitions.ts';

const folder = join(import.meta.dirname, '..', '..', 'crds');
const header = '# Generated from protocol/src/resources by protocol/scripts/generate-crds.ts. Do not edit.\n';

/** File name -> content. */
export const crdFiles = (): Map<string, string> =>
  new Map(
    definitions.map((definition) => [
      `${definition.plural}.yaml`,
      header + stringify(customResourceDefinition(definition), { lineWidth: 120, aliasDuplicateObjects: false }),
    ]),
  );

/** Files that differ from what the schemas say, missing and left-over ones included. */
export function stale(): string[] {
  const wanted = crdFiles();
  const present = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.yaml')) : [];
  const differ = [...wanted].filter(([name, text]) => !present.includes(name) || readFileSync(join(folder, name), 'utf8') !== text);
  return [...differ.map(([name]) => name), ...present.filter((name) => !wanted.has(name))];
}

function write(): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith('.yaml')) rmSync(join(folder, name));
  for (const [name, text] of crdFiles()) writeFileSync(join(folder, name), text);
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) write();
  else if (stale().length > 0) {
    console.error(`differs from the schemas: ${stale().join(', ')}; run protocol/scripts/generate-crds.ts`);
    process.exitCode = 1;
  }
}
