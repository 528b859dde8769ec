/** Messages that a seeded scheduler delivers, loses, repeats and reorders. A call ends with its answer or, if lost, with an error. */
import type { Peer, PeerHandlers } from '../peers.ts';
import { pick } from './random.ts';

interface Message {
  readonly from: number;
  readonly to: number;
  readonly run: () => void;
  readonly lose: () => void;
}

export class SimulatedNetwork {
  readonly #handlers = new Map<number, PeerHandlers>();
  readonly #waiting: Message[] = [];
  readonly #cut = new Set<string>();
  readonly #random: () => number;
  constructor(random: () => number) {
    this.#random = random;
  }

  attach(index: number, handlers: PeerHandlers): void {
    this.#handlers.set(index, handlers);
  }
  detach(index: number): void {
    this.#handlers.delete(index);
  }
  cut(a: number, b: number): void {
    this.#cut.add(`${a}-${b}`).add(`${b}-${a}`);
  }
  heal(): void {
    this.#cut.clear();
  }
  size(): number {
    return this.#waiting.length;
  }

  /** Delivers one message, any; loses it instead with this probability. False when there was none. */
  step(lossRate: number): boolean {
    const message = pick(this.#waiting, this.#random);
    if (!message) return false;
    this.#waiting.splice(this.#waiting.indexOf(message), 1);
    if (this.#random() < lossRate || this.#cut.has(`${message.from}-${message.to}`)) message.lose();
    else message.run();
    return true;
  }

  /** `repeatRate`: how often a request arrives twice. `alive` says whether the caller still lives. */
  peer(from: number, to: number, repeatRate: number, alive: () => boolean): Peer {
    const call = <T>(work: (handlers: PeerHandlers) => T | Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const lost = (): void => {
          if (alive()) this.#waiting.push({ from: to, to: from, run: fail, lose: fail });
        };
        const fail = (): void => {
          if (alive()) reject(new Error('no answer'));
        };
        const answer = (settle: () => void): void => {
          this.#waiting.push({ from: to, to: from, run: () => alive() && settle(), lose: fail });
        };
        const arrive = async (): Promise<void> => {
          const handlers = this.#handlers.get(to);
          if (!handlers) return lost();
          try {
            const value = await work(handlers);
            answer(() => resolve(value));
          } catch (thrown) {
            answer(() => reject(thrown instanceof Error ? thrown : new Error(String(thrown))));
          }
        };
        const request: Message = { from, to, run: () => void arrive(), lose: lost };
        if (!alive()) return;
        this.#waiting.push(request);
        if (this.#random() < repeatRate) this.#waiting.push({ ...request, lose: () => {} });
      });
    return {
      index: to,
      propose: (message) => call((h) => h.propose(from, message)),
      decide: (block) => call((h) => h.decide(from, block)),
      getVote: (height) => call((h) => h.getVote(from, height)),
      async *sync(at) {
        yield* await call((h) => [...h.sync(at)]);
      },
      forward: (command) => call((h) => h.forward(command)),
    };
  }
}
