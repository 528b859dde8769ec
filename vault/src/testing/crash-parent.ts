/** The other side of crash-child.ts: masters and slice, which live on while the Vault's process dies. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { manifestOf, OURS, type WorldMasters } from './a-group.ts';
import type { Ask, Reply, Start, Told } from './crash-child.ts';

type Done = Extract<Told, { kind: 'done' }>;
/** The process died while it was asked. */
export class Died extends Error {}

export class VaultProcess {
  readonly #child: ChildProcess;
  readonly #masters: WorldMasters;
  #pending: { resolve: (told: Told) => void; reject: (error: Error) => void } | undefined;
  #dead = false;

  private constructor(child: ChildProcess, masters: WorldMasters) {
    this.#child = child;
    this.#masters = masters;
    child.on('message', (told: Told) => void this.#hear(told).catch((error: unknown) => this.#pending?.reject(error as Error)));
    child.on('exit', () => {
      this.#dead = true;
      this.#pending?.reject(new Died());
    });
  }
  /** Throws Died when the step comes before it is ready. */
  static async start(folder: string, dieAt: number, masters: WorldMasters): Promise<VaultProcess> {
    const child = fork(new URL('./crash-child.ts', import.meta.url), [folder, String(dieAt)], { serialization: 'advanced' });
    const process = new VaultProcess(child, masters);
    const { genesis, genesisDigest } = masters.world;
    await process.#send({ genesis, genesisDigest, manifest: manifestOf(), vault: OURS });
    return process;
  }

  async ask(request: Ask): Promise<Done> {
    const told = await this.#send(request);
    if (told.kind === 'failed') throw new Error(told.message);
    return told as Done;
  }
  async stop(): Promise<void> {
    if (this.#dead) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  #send(message: Ask | Start): Promise<Told> {
    const { promise, resolve, reject } = Promise.withResolvers<Told>();
    if (this.#dead) return Promise.reject(new Died());
    this.#pending = { resolve, reject };
    this.#child.send(message);
    return promise;
  }
  async #hear(told: Told): Promise<void> {
    if (told.kind === 'submit') this.#reply({ id: told.id, value: await this.#masters.submit(told.command) });
    else if (told.kind === 'leaf') this.#reply({ id: told.id, value: await this.#masters.getLeaf(told.key) });
    else this.#pending?.resolve(told);
  }
  #reply(reply: Reply): void {
    if (!this.#dead && this.#child.connected) this.#child.send(reply, () => undefined);
  }
}
