/** A master as its image runs it: one file, in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { imageSpec } from '../../../images/specs.ts';
import { bundleProgram } from '../../cluster/images.ts';

/** The program of the master's image in one file; `newest`: version of the protocol that this build says it carries. */
export const buildMaster = async (file: string, newest: number): Promise<string> => {
  const spec = await imageSpec('scs-master');
  const program = await bundleProgram({ ...spec, define: { SCS_NEWEST_PROTOCOL: String(newest) } });
  writeFileSync(file, program);
  return file;
};

export class MasterProcess {
  readonly #child: ChildProcess;
  readonly #codes = new Set<string>();

  constructor(program: string, environment: Readonly<Record<string, string>>) {
    const { PATH } = process.env;
    this.#child = spawn(process.execPath, [program], {
      env: { ...(PATH === undefined ? {} : { PATH }), ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (this.#child.stdout) createInterface({ input: this.#child.stdout }).on('line', (line) => this.#note(line));
  }
  #note(line: string): void {
    const code = /"code":"([A-Za-z]+)"/.exec(line)?.[1];
    if (code !== undefined) this.#codes.add(code);
    if (process.env['SCS_TEST_LOG']) console.log(line);
  }
  /** Whether it has said this code in its log. */
  hasSaid(code: string): boolean {
    return this.#codes.has(code);
  }
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await gone;
  }
}
