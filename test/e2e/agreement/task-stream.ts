/** A steady stream of small tasks: as one ends, the next is submitted. What becomes of each comes by a watch. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ensureKubectl } from '../../cluster/cluster.ts';
import { campaign, submit, type Scene } from '../../demo/scenario.ts';

const NAMESPACE = 'roastery';
const ENDED = new Set(['completed', 'rejected', 'timed_out']);
/** A small epsilon: budgets and escrow hold hundreds of them. */
const small = () =>
  campaign((spec) => {
    spec.privacy.epsilon = '0.02';
    spec.usage = 'analytics';
    spec.maxFee = '4';
  });

export class TaskStream {
  readonly #scene: Scene;
  readonly #watch: ChildProcess;
  readonly #states = new Map<string, string>();
  readonly #waiting = new Set<() => void>();
  /** Names in the order of their submission. */
  readonly submitted: string[] = [];
  /** What a person was told when a task could not be submitted. */
  readonly failures: string[] = [];
  #workers: Promise<unknown> = Promise.resolve();
  #stopping = false;

  private constructor(scene: Scene, watch: ChildProcess) {
    this.#scene = scene;
    this.#watch = watch;
    if (watch.stdout) createInterface({ input: watch.stdout }).on('line', (line) => this.#heard(line));
  }
  /** Keeps `inFlight` tasks under way until `stop`. */
  static async start(scene: Scene, inFlight: number): Promise<TaskStream> {
    const format = 'jsonpath={.metadata.name} {.status.state}{"\\n"}';
    const watch = spawn(await ensureKubectl(), ['get', 'tasks', '-n', NAMESPACE, '--watch', '-o', format], {
      env: { ...process.env, KUBECONFIG: scene.kubeconfig },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const stream = new TaskStream(scene, watch);
    stream.#workers = Promise.all(Array.from({ length: inFlight }, () => stream.#work()));
    stream.#workers.catch(() => undefined); // told by `finish`, and by whoever waits meanwhile
    return stream;
  }

  #heard(line: string): void {
    const [name = '', state = ''] = line.split(' ');
    this.#states.set(name, state);
    for (const wake of this.#waiting) wake();
  }
  async #work(): Promise<void> {
    while (!this.#stopping) {
      const name = await this.#submit();
      await this.#until(() => ENDED.has(this.#states.get(name) ?? ''));
    }
  }
  async #submit(): Promise<string> {
    const name = `stream-${String(this.submitted.length).padStart(3, '0')}`;
    this.submitted.push(name);
    const { code, stderr } = await submit(this.#scene, name, small());
    if (code !== 0) this.failures.push(`${name}: ${stderr}`);
    return name;
  }
  #until(holds: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.failures.length > 0) reject(new Error(this.failures.join('\n')));
      else if (holds()) resolve();
      else return;
      this.#waiting.delete(look);
    };
    this.#waiting.add(look);
    look();
    return promise;
  }

  /** One task more than those of the stream, now: its name, once it has completed. */
  async oneMore(): Promise<string> {
    const name = await this.#submit();
    await this.#until(() => this.#states.get(name) === 'completed');
    return name;
  }
  /** Submits no more, and waits for those under way. */
  async finish(): Promise<void> {
    this.#stopping = true;
    await this.#workers;
  }
  /** At once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#watch.exitCode !== null) return;
    const gone = once(this.#watch, 'exit');
    this.#watch.kill();
    await gone;
  }
}
