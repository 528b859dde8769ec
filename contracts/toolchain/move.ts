import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

/** What the compiler process is asked for; internal to the toolchain. */
export type CompilerRequest = {
  readonly command: 'build' | 'test';
  readonly packageDir: string;
  readonly installDir: string;
  readonly namedAddresses: Readonly<Record<string, string>>;
  readonly filter?: string;
};

/** A compiled package: what `publishPackage` and the devnet's genesis take. */
export type CompiledPackage = {
  readonly name: string;
  /** Modules of the package itself in the order in which they may be published: dependencies first. */
  readonly modules: readonly { readonly name: string; readonly bytecode: Uint8Array }[];
  /** Move source by file name, for the table of abort names. */
  readonly sources: readonly { readonly file: string; readonly text: string }[];
};

export type MoveTest = { readonly name: string; readonly passed: boolean };
export type MoveTestReport = { readonly ok: boolean; readonly tests: readonly MoveTest[]; readonly output: string };

/** The compiler refused the package, or the process died; `output` is all that it said. */
export class MoveCompilerError extends Error {
  readonly code = 'MoveCompilerFailed';
  readonly output: string;
  constructor(packageDir: string, output: string) {
    super(`The Move compiler refused ${path.basename(packageDir)}:\n${output}`);
    this.output = output;
  }
}

const processFile = fileURLToPath(new URL('./compiler-process.ts', import.meta.url));
const outputLimitBytes = 16 * 1024 * 1024;
const timeoutMs = 120_000;

/** The library writes with blocking calls and dies of a full pipe, hence files instead of pipes for its output. */
const runCompiler = async (request: CompilerRequest): Promise<{ ok: boolean; output: string }> => {
  const log = await open(path.join(request.installDir, 'output.txt'), 'w+');
  try {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', processFile, JSON.stringify(request)], {
      stdio: ['ignore', log.fd, log.fd],
      timeout: timeoutMs,
    });
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    const output = Buffer.alloc(Math.min((await log.stat()).size, outputLimitBytes));
    await log.read(output, 0, output.length, 0);
    const died = code === 0 || code === 1 ? '' : `\nThe compiler process ended with ${signal ?? code}.`;
    return { ok: code === 0, output: stripVTControlCharacters(output.toString('utf8')).trim() + died };
  } finally {
    await log.close();
  }
};

const readModules = async (folder: string): Promise<Map<string, Uint8Array>> => {
  const files = (await readdir(folder)).filter((f) => f.endsWith('.mv')).toSorted();
  return new Map(
    await Promise.all(files.map(async (f): Promise<[string, Uint8Array]> => [f.slice(0, -3), await readFile(path.join(folder, f))])),
  );
};

const readSources = async (packageDir: string): Promise<CompiledPackage['sources']> => {
  const folder = path.join(packageDir, 'sources');
  const files = (await readdir(folder, { recursive: true })).filter((f) => f.endsWith('.move')).toSorted();
  return Promise.all(files.map(async (file) => ({ file, text: await readFile(path.join(folder, file), 'utf8') })));
};

const packageName = async (packageDir: string): Promise<string> => {
  const manifest = await readFile(path.join(packageDir, 'Move.toml'), 'utf8');
  const name = /^\s*name\s*=\s*"([^"]+)"/m.exec(manifest)?.[1];
  if (name === undefined) throw new Error(`No package name in ${packageDir}/Move.toml`);
  return name;
};

const moduleHeader = /^\s*module\s+\w+::(\w+)/gm;
const moduleUse = (name: string): RegExp => new RegExp(`\\b\\w+::${name}\\b`);

/** Dependencies first, by the modules' own `use` and qualified names; ties by name, so that the order is always the same. */
const publishOrder = (names: readonly string[], sources: CompiledPackage['sources']): string[] => {
  const textOf = new Map<string, string>();
  for (const { text } of sources) for (const header of text.matchAll(moduleHeader)) textOf.set(header[1] ?? '', text);
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const text = (textOf.get(name) ?? '').replace(/^\s*friend\s.*$/gm, '').replace(/\/\/.*$/gm, '');
    for (const other of names) if (other !== name && moduleUse(other).test(text)) visit(other);
    order.push(name);
  };
  for (const name of names) visit(name);
  return order;
};

/** A private copy of the folder's outputs, so that builds and tests running at once never share a build folder. */
const withInstallDir = async <T>(use: (dir: string) => Promise<T>): Promise<T> => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'scs-move-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

/**
 * Compiles the Move package in `dir` (language 2.1, bytecode 7). `namedAddresses` fills the addresses that its Move.toml leaves as
 * `"_"`. Writes nothing into the source tree. Throws `MoveCompilerError` with the compiler's own words.
 */
export const buildPackage = async (
  dir: string,
  options: { namedAddresses?: Readonly<Record<string, string>> } = {},
): Promise<CompiledPackage> =>
  withInstallDir(async (installDir) => {
    const packageDir = path.resolve(dir);
    const { ok, output } = await runCompiler({ command: 'build', packageDir, installDir, namedAddresses: options.namedAddresses ?? {} });
    if (!ok) throw new MoveCompilerError(packageDir, output);
    const [name, sources] = await Promise.all([packageName(packageDir), readSources(packageDir)]);
    const modules = await readModules(path.join(installDir, 'build', name, 'bytecode_modules'));
    const order = publishOrder([...modules.keys()], sources);
    return { name, sources, modules: order.map((n) => ({ name: n, bytecode: modules.get(n) ?? new Uint8Array() })) };
  });

const resultLine = /^\[\s*(PASS|FAIL|TIMEOUT)\s*\]\s+(\S+)/gm;

/** Runs the package's `#[test]` functions in the VM. A compile error or a failing test is in the report, not thrown. */
export const testPackage = async (
  dir: string,
  options: { filter?: string; namedAddresses?: Readonly<Record<string, string>> } = {},
): Promise<MoveTestReport> =>
  withInstallDir(async (installDir) => {
    const { ok, output } = await runCompiler({
      command: 'test',
      packageDir: path.resolve(dir),
      installDir,
      namedAddresses: options.namedAddresses ?? {},
      ...(options.filter === undefined ? {} : { filter: options.filter }),
    });
    const tests = [...output.matchAll(resultLine)].map((m): MoveTest => ({ name: m[2] ?? '', passed: m[1] === 'PASS' }));
    return { ok: ok && tests.every((t) => t.passed), tests, output };
  });
