/**
 * What is generated and committed: protobuf code, CRDs, charts' schema and README, golden vectors.
 * `node scripts/generated.ts` writes it all; `--check` writes nothing, names what differs and exits 1.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const check = process.argv.includes('--check');

const run = (command: string, args: readonly string[], cwd = root): boolean => {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (error) throw error;
  return status === 0;
};
const script = (file: string) => (): boolean => run(process.execPath, [join(root, file), ...(check ? ['--check'] : [])]);

const filesOf = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .toSorted()
    : [];

/** Names of the files that only one of two folders has, or that differ. */
const differing = (wanted: string, present: string): string[] =>
  [...new Set([...filesOf(wanted), ...filesOf(present)])].filter((name) => {
    const [a, b] = [join(wanted, name), join(present, name)];
    return !existsSync(a) || !existsSync(b) || !readFileSync(a).equals(readFileSync(b));
  });

/** buf can't compare: it writes into a folder of its own, and we do. */
const protobuf = (): boolean => {
  const proto = join(root, 'proto');
  if (!check) return run('buf', ['generate'], proto);
  const folder = mkdtempSync(join(tmpdir(), 'scs-generated-'));
  try {
    if (!run('buf', ['lint'], proto) || !run('buf', ['generate', '-o', folder], proto)) return false;
    const stale = differing(join(folder, 'src/gen'), join(proto, 'src/gen'));
    for (const name of stale) console.error(`differs from proto/scs: proto/src/gen/${name}`);
    return stale.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const steps: readonly (readonly [string, () => boolean])[] = [
  ['protobuf code', protobuf],
  ['custom resource definitions', script('protocol/scripts/generate-crds.ts')],
  ['charts: schema and README', script('charts/generate.ts')],
  ['golden vectors', script('test/vectors/generate.ts')],
];
const failed = steps.filter(([, step]) => !step()).map(([name]) => name);
if (failed.length > 0) {
  console.error(
    `${check ? 'Not up to date' : 'Not generated'}: ${failed.join(', ')}.${check ? ' Run: make generate, and commit what changes.' : ''}`,
  );
  process.exitCode = 1;
}
