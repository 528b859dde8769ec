/** The three masters of a scene: what `kubectl symphony masters` shows of them, their pods and processes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signalContainer } from '../../cluster/containers.ts';
import { healPods, partitionPods } from '../../cluster/network.ts';
import type { Scene } from '../../demo/scenario.ts';
import { SYSTEM, until } from '../../demo/system.ts';

export const indexes = [0, 1, 2] as const;
const MINUTES = 60_000;

export interface Row {
  readonly index: number;
  readonly answers: boolean;
  readonly height: number;
  readonly view: number;
  readonly primary: boolean;
  readonly counter: string;
  readonly condition: string;
}
export interface Table {
  readonly rows: readonly Row[];
  /** As printed. */
  readonly text: string;
}
const rowOf = (line: string): Row => {
  const cells = line.trim().split(/\s{2,}/);
  const answers = cells.length > 2;
  const [index, height, view] = cells.map(Number);
  return {
    index: index ?? -1,
    answers,
    height: answers ? (height ?? 0) : 0,
    view: answers ? (view ?? 0) : 0,
    primary: cells.includes('primary'),
    counter: (answers && cells.at(-2)) || '',
    condition: (answers && cells.at(-1)) || 'does not answer',
  };
};

export class Masters {
  readonly #scene: Scene;
  constructor(scene: Scene) {
    this.#scene = scene;
  }
  async table(): Promise<Table> {
    const { stdout } = await this.#scene.group.trySymphony(['masters', '-n', SYSTEM], { KUBECONFIG: this.#scene.kubeconfig });
    return { rows: stdout.split('\n').slice(1, 4).map(rowOf), text: stdout };
  }
  /** Waits until the table shows what is asked for; throws with the last one. */
  async untilShown<T>(what: string, find: (table: Table) => T | undefined, timeoutMs = 2 * MINUTES): Promise<T> {
    let last = '';
    try {
      return await until(what, timeoutMs, async () => {
        const table = await this.table();
        last = table.text;
        return find(table);
      });
    } catch (cause) {
      throw new Error(`${String(cause)}\n${last}`, { cause });
    }
  }
  /** All three take part, one leads, and nobody is far behind. */
  allFine(): Promise<Table> {
    return this.untilShown('three masters that take part', (table) => {
      const heights = table.rows.map((row) => row.height);
      const near = Math.max(...heights) - Math.min(...heights) <= 8;
      return table.rows.every((row) => row.condition === 'fine') && table.rows.some((row) => row.primary) && near ? table : undefined;
    });
  }
  async primary(): Promise<number> {
    return this.untilShown('a primary', ({ rows }) => rows.find((row) => row.primary && row.condition === 'fine')?.index);
  }
  /** Another primary than this one, as the others see it. */
  otherPrimary(than: number): Promise<Row> {
    return this.untilShown(`another primary than ${than}`, ({ rows }) => rows.find((row) => row.primary && row.index !== than));
  }

  podOf(index: number): string {
    return `scs-master-${index}-0`;
  }
  async #field(index: number, path: string): Promise<string> {
    return this.#scene.kubectl('get', 'pod', '-n', SYSTEM, this.podOf(index), '-o', `jsonpath={${path}}`);
  }
  async signal(index: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    await signalContainer(await this.#field(index, '.status.containerStatuses[0].containerID'), signal);
  }
  /** No packet passes between this one and the other two. */
  async cutOff(index: number): Promise<void> {
    const addresses = await Promise.all(indexes.map((i) => this.#field(i, '.status.podIP')));
    await partitionPods(
      addresses[index]!,
      addresses.filter((_, i) => i !== index),
    );
  }
  heal(): Promise<void> {
    return healPods();
  }
  async scale(index: number, replicas: 0 | 1): Promise<void> {
    await this.#scene.kubectl('scale', '-n', SYSTEM, `statefulset/scs-master-${index}`, `--replicas=${replicas}`);
  }
  /** Its pod is gone, of itself. */
  async gone(index: number): Promise<void> {
    await this.#scene.kubectl('wait', '-n', SYSTEM, `pod/${this.podOf(index)}`, '--for=delete', '--timeout=90s');
  }
  async setImage(index: number, image: string): Promise<void> {
    await this.#scene.kubectl('set', 'image', '-n', SYSTEM, `statefulset/scs-master-${index}`, `master=${image}`);
    await this.#scene.kubectl('rollout', 'status', '-n', SYSTEM, `statefulset/scs-master-${index}`, '--timeout=120s');
  }
  /** Waits until one of these has it in its log, since it was started or before. */
  async untilSaid(by: readonly number[], words: string): Promise<void> {
    const log = (index: number, ...more: readonly string[]) =>
      this.#scene.kubectl('logs', '-n', SYSTEM, this.podOf(index), '--tail=-1', ...more).catch(() => ''); // no log of before, or no pod yet
    await until(`a log that says ${words}`, 2 * MINUTES, async () => {
      const logs = await Promise.all(by.flatMap((i) => [log(i), log(i, '--previous')]));
      return logs.some((text) => text.includes(words)) ? true : undefined;
    });
  }
  /** The end of its log, and of the log before a restart; what can't be read is empty. */
  async lastWords(index: number, lines = 80): Promise<string> {
    const read = (...more: readonly string[]) =>
      this.#scene.kubectl('logs', '-n', SYSTEM, this.podOf(index), `--tail=${lines}`, ...more).catch(String);
    return `${await read('--previous')}\n-- restarted --\n${await read()}`;
  }

  /** What `replay` says of a master's log, read from its pod (X1). */
  async replayed(index: number): Promise<string> {
    const { kubectl, group } = this.#scene;
    const folder = mkdtempSync(join(tmpdir(), 'scs-log-'));
    const file = join(folder, 'log');
    try {
      await writeFile(file, await kubectl('exec', '-n', SYSTEM, this.podOf(index), '--', '/usr/local/bin/node', '/app/main.mjs', 'log'));
      const { stdout, stderr } = await group.trySymphony(['replay', '-f', file, '--genesis', join(group.folder, 'genesis.bin')]);
      return stdout + stderr;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
