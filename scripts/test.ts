/**
 * `make test`: checks, then each kind of test, with elapsed times; the last line counts what ran. `node scripts/test.ts unit e2e`
 * runs only those. Everything goes on after a failure, so that one run shows all there is.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}
type Stage = (name: string) => Promise<Count>;

const root = resolve(import.meta.dirname, '..');
const packageScripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`;

let child: ReturnType<typeof spawn> | undefined;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    interrupted = true;
    child?.kill(signal);
  });

const runCommand = (command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<number> =>
  new Promise((done, fail) => {
    child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } });
    child.once('error', fail);
    child.once('close', (code) => done(code ?? 1));
  });

/** Each check counts as one test: it passes or fails as a whole. */
const checks = ['format:check', 'types', 'lint', 'imports', 'generated:check', 'spec-map'];
const runChecks: Stage = async () => {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const name of checks) {
    if (!packageScripts[name]) throw new Error(`package.json has no script ${name}`);
    const start = Date.now();
    const ok = (await runCommand('npm', ['run', '--silent', name])) === 0;
    say(`${ok ? '✓' : '✗'} ${name} (${seconds(start)})`);
    count[ok ? 'passed' : 'failed'] += 1;
    if (interrupted) break;
  }
  return count;
};

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}
/** In `make test`, about four minutes of one core; `make unit` takes the few that the tests default to. */
const SIMULATION_SEEDS = '3000';
const runVitest: Stage = async (project) => {
  const folder = mkdtempSync(join(tmpdir(), 'scs-test-'));
  const file = join(folder, 'report.json');
  try {
    const environment = wanted.length === 0 ? { SCS_SIMULATION_SEEDS: SIMULATION_SEEDS, ...process.env } : {};
    const code = await runCommand(
      'vitest',
      ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      environment,
    );
    if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
    const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
    // A file that could not even be loaded has no tests to fail: it counts as one.
    const broken = report.testResults.filter((r) => r.status === 'failed' && r.assertionResults.length === 0).length;
    const failed = report.numFailedTests + broken;
    return {
      passed: report.numPassedTests,
      failed: code !== 0 && failed === 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const stages: Readonly<Record<string, Stage>> = {
  checks: runChecks,
  unit: runVitest,
  contracts: runVitest,
  integration: runVitest,
  e2e: runVitest,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in stages));
if (unknown.length > 0) {
  say(`There is no stage ${unknown.join(', ')}. Stages: ${Object.keys(stages).join(', ')}.`);
  process.exit(2);
}
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const start = Date.now();
for (const name of wanted.length > 0 ? wanted : Object.keys(stages)) {
  if (interrupted) break;
  const began = Date.now();
  say(`\n==> ${name}`);
  const count = await stages[name]!(name);
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  say(`==> ${name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped in ${seconds(began)}`);
}
say(`\n${interrupted ? 'Interrupted' : 'Done'} after ${seconds(start)}.`);
say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = interrupted ? 130 : total.failed > 0 || total.passed === 0 ? 1 : 0;
