/**
 * One compiler call, then exit: `node compiler-process.ts <build|test> <request as JSON>`. A process of its own because the
 * library writes its diagnostics straight to stdout and stderr, where only a parent can catch them, and a crash in
 * it must not take a test runner down. Exit code 0 is success; the error the library returns goes to stderr.
 */
import process from 'node:process';
import { bcs } from '@mysten/bcs';
import { ByteSliceViewType, ErrorOutType, UnmanagedVectorType, emptyVector, lend, openLibrary } from './native-library.ts';
import type { ByteSliceView, UnmanagedVector } from './native-library.ts';
import type { CompilerRequest } from './move.ts';

type Build = (error: UnmanagedVector, request: ByteSliceView) => UnmanagedVector;
type Test = (error: UnmanagedVector, request: ByteSliceView, options: ByteSliceView) => UnmanagedVector;

const BuildConfig = bcs.struct('BuildConfig', {
  devMode: bcs.bool(),
  testMode: bcs.bool(),
  generateDocs: bcs.bool(),
  generateAbis: bcs.bool(),
  installDir: bcs.option(bcs.string()),
  forceRecompilation: bcs.bool(),
  fetchDepsOnly: bcs.bool(),
  skipFetchLatestGitDeps: bcs.bool(),
  bytecodeVersion: bcs.u32(),
  compilerVersion: bcs.string(),
  languageVersion: bcs.string(),
  additionalNamedAddresses: bcs.vector(bcs.tuple([bcs.string(), bcs.bytes(32)])),
});
const CompilerArguments = bcs.struct('CompilerArguments', {
  packagePath: bcs.option(bcs.string()),
  verbose: bcs.bool(),
  buildConfig: BuildConfig,
});
const TestOptions = bcs.struct('TestOptions', {
  filter: bcs.option(bcs.string()),
  reportStatistics: bcs.bool(),
  reportStorageOnError: bcs.bool(),
  ignoreCompileWarnings: bcs.bool(),
  computeCoverage: bcs.bool(),
});

const addressBytes = (hex: string): Uint8Array => {
  const digits = hex.replace(/^0x/, '');
  if (!/^[0-9a-f]{1,64}$/i.test(digits)) throw new Error(`Not an address: ${hex}`);
  return Buffer.from(digits.padStart(64, '0'), 'hex');
};

const argumentsOf = (request: CompilerRequest): Uint8Array =>
  CompilerArguments.serialize({
    packagePath: request.packageDir,
    verbose: false,
    buildConfig: {
      devMode: request.command === 'test',
      testMode: request.command === 'test',
      generateDocs: false,
      generateAbis: false,
      installDir: request.installDir,
      forceRecompilation: false,
      fetchDepsOnly: false,
      skipFetchLatestGitDeps: true,
      bytecodeVersion: 7,
      compilerVersion: '2.1',
      languageVersion: '2.1',
      additionalNamedAddresses: Object.entries(request.namedAddresses).map(([name, address]): [string, Uint8Array] => [
        name,
        addressBytes(address),
      ]),
    },
  }).toBytes();

const main = (request: CompilerRequest): number => {
  const { lib, takeBytes } = openLibrary('libcompiler');
  const build: Build = lib.func('build_move_package', UnmanagedVectorType, [ErrorOutType, ByteSliceViewType]);
  const test: Test = lib.func('test_move_package', UnmanagedVectorType, [ErrorOutType, ByteSliceViewType, ByteSliceViewType]);
  const error: UnmanagedVector = emptyVector();
  const args = argumentsOf(request);
  if (request.command === 'build') build(error, lend(args));
  else {
    const options = TestOptions.serialize({
      filter: request.filter ?? null,
      reportStatistics: false,
      reportStorageOnError: false,
      ignoreCompileWarnings: true,
      computeCoverage: false,
    }).toBytes();
    test(error, lend(args), lend(options));
  }
  const message = takeBytes(error);
  if (message === undefined || message.length === 0) return 0;
  process.stderr.write(`${Buffer.from(message).toString('utf8')}\n`);
  return 1;
};

process.exitCode = main(JSON.parse(process.argv[2] ?? '') as CompilerRequest);
