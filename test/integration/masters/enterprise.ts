/** An enterprise as the masters see it: its Vault, slices and aggregator answer over gRPC with real signatures. */
import type { MastersPort } from '@scs/proto';
import { blobDigest, decodeRecord, utf8, type Command, type TaskRecord } from '@scs/protocol';
import {
  anOffer,
  aggregateCommand,
  answerCommand,
  readyCommand,
  registerCommand,
  releaseCommand,
  sliceReadyCommand,
} from '@scs/protocol/testing/statements.ts';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import type { Group } from './group.ts';

export class Enterprise {
  readonly #name: string;
  readonly #vault: string;
  readonly #group: Group;
  readonly #masters: MastersPort;
  readonly #stopping = new AbortController();
  readonly #done = new Set<string>();
  #sequence = 1n;
  #running: Promise<void> | undefined;
  /** What was refused, by code. */
  readonly refusals: string[] = [];
  /** Steps that it does not take, to see what happens. */
  readonly #silent: ReadonlySet<Command['type']>;

  constructor(group: Group, name: string, silent: readonly Command['type'][] = []) {
    this.#group = group;
    this.#name = name;
    this.#vault = `${name}/shoppers`;
    this.#masters = group.mastersFor(name);
    this.#silent = new Set(silent);
  }

  async register(): Promise<void> {
    const decided = await this.#masters.submit(registerCommand(this.#group, anOffer(this.#vault)));
    if (!decided.ok && decided.code !== 'AlreadyDecided') throw new Error(`${decided.code}: ${decided.message}`);
  }
  follow(): void {
    this.#running = this.#follow();
  }
  async #follow(): Promise<void> {
    for await (const leaf of this.#masters.watchTasks({ signal: this.#stopping.signal })) {
      try {
        await this.#act(decodeRecord('task', leaf.value));
      } catch (error) {
        this.refusals.push(String(error)); // no master reachable for a while, say: the stream brings the task again
      }
    }
  }

  async #submit(key: string, command: Command): Promise<void> {
    if (this.#done.has(key) || this.#silent.has(command.type)) return;
    const decided = await this.#masters.submit(command);
    if (decided.ok || decided.code === 'AlreadyDecided') this.#done.add(key);
    else this.refusals.push(`${command.type} ${decided.code}`);
  }

  async #act(task: TaskRecord): Promise<void> {
    const part = task.parts.find((p) => p.vault === this.#vault);
    const { uid } = task;
    if (task.state === 'resolving' && part?.state === 'asked')
      await this.#submit(`answer ${uid}`, answerCommand(this.#group, task, this.#vault, this.#sequence++));
    if (task.state !== 'dispatched') return;
    if (part?.state === 'reserved') await this.#submit(`ready ${uid}`, sliceReadyCommand(this.#group, task, this.#vault));
    if (part?.state === 'ready') await this.#submit(`release ${uid}`, releaseCommand(this.#group, task, this.#vault, this.#sequence++));
    const { address } = actorKey(this.#name);
    if (task.aggregators?.[task.aggregator ?? 0] !== address || !task.survivors) return;
    if (!task.aggregatorEnclave)
      return this.#submit(`aggregator ${uid}`, readyCommand(this.#group, task, 'aggregator', address, this.#name));
    const sealed = utf8(`sealed result of ${uid}`);
    const command = aggregateCommand(this.#group, task, address, sealed);
    if (this.#done.has(`aggregate ${uid}`) || this.#silent.has(command.type)) return undefined;
    await this.#masters.putBlob(uid, `result/${blobDigest(sealed)}`, sealed);
    return this.#submit(`aggregate ${uid}`, command);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#masters.close();
  }
}
