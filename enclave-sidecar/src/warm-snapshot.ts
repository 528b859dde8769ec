/**
 * The snapshot of a running slice (rule A2), on memory-backed scratch from its arrival until its output is stored. So a slice that is
 * opened again, or whose sidecar was restarted in its pod, is warm: the Vault need not send it again. What lies there counts only if it
 * opens the commitment that the Vault names.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^([0-9a-f]{64})\.parquet$/;

export class WarmSnapshot {
  readonly #folder: string;
  constructor(scratch: string) {
    this.#folder = join(scratch, 'snapshot');
  }

  /** Commitment of the one that is kept; empty if none is. */
  async held(): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const names = await readdir(this.#folder);
    return names.map((name) => NAME.exec(name)?.[1]).find((commitment) => commitment !== undefined) ?? '';
  }
  path(commitment: string): string {
    return join(this.#folder, `${commitment}.parquet`);
  }
  read(commitment: string): Promise<Uint8Array> {
    return readFile(this.path(commitment));
  }
  /** In place of what was kept; whole, or not at all. */
  async keep(commitment: string, content: Uint8Array): Promise<void> {
    await this.drop();
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const partial = join(this.#folder, 'partial');
    await writeFile(partial, content, { mode: 0o400, flag: 'wx' });
    await rename(partial, this.path(commitment));
  }
  drop(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
