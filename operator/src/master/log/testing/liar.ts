/** A master that says what it likes but signs at most one Head a height: what the interim log must withstand (N1, G4). */
import { decideMessage, encodeBlock, headOf, hex, sign, type Block, type Head, type Vote } from '@scs/protocol';
import type { PeerHandlers } from '../peers.ts';
import { pick } from './random.ts';
import { committee, seeds, simulatedGenesis, type SimulatedMasters } from './simulated-masters.ts';
import { toyCommand, toyRules } from './toy-rules.ts';

export class Liar {
  readonly #index: number;
  readonly #world: SimulatedMasters;
  readonly #signed = new Map<bigint, Head>();
  #counter = 0;
  constructor(index: number, world: SimulatedMasters) {
    this.#index = index;
    this.#world = world;
    const handlers: PeerHandlers = {
      propose: async () => ({ code: this.#any('', 'Nonsense', 'AlreadyDecided'), message: 'whatever', height: 0n }),
      decide: () => 999n,
      getVote: () => ({ height: 0n }),
      sync: () => [],
      forward: async () => ({ ok: false, code: this.#any('NoLeader', 'Nonsense'), message: 'whatever' }),
    };
    world.network.attach(index, handlers);
  }

  #any<T>(...items: T[]): T {
    return pick(items, this.#world.random)!;
  }

  /** Its signature, if it may still give one for this height. */
  #vote(head: Head): Vote {
    const known = this.#signed.get(head.height);
    if (known && known.block !== head.block) return { master: this.#index, signature: '00'.repeat(64) };
    this.#signed.set(head.height, head);
    return { master: this.#index, signature: sign(seeds[this.#index]!, decideMessage(head)) };
  }

  /** Sends one correct master something false, or something true that the other never hears of. */
  act(victim: number): void {
    const log = this.#world.log(victim);
    if (!log) return;
    const certificate = log.certificate();
    const kind = this.#any('lie', 'bad', 'late', 'early', 'root', 'true', 'forged', 'parent');
    const name = kind === 'lie' || kind === 'bad' ? `${kind}${this.#counter++}` : `fromliar${this.#counter++}`;
    const skew = kind === 'early' ? 60_000 : kind === 'late' ? -60_000 : 0;
    const block: Block = {
      height: log.height() + 1n,
      generation: 0n,
      parent: kind === 'parent' ? 'ee'.repeat(32) : (certificate?.head.block ?? simulatedGenesis),
      time: Math.max(0, Math.max(log.time(), this.#world.clock.now()) + skew),
      proposer: this.#index,
      commands: [toyCommand(name)],
    };
    const applied = toyRules.applyBlock(log.state(), block);
    const root = kind === 'root' || !applied.ok ? 'dd'.repeat(32) : hex(applied.state.root());
    const head = headOf(block, simulatedGenesis, root);
    const bytes = encodeBlock(block);
    const peer = this.#world.network.peer(this.#index, victim, 0, () => true);
    const ignore = (): void => {};
    if (kind === 'forged') {
      const votes = committee.keys.slice(0, 2).map((_, master) => ({ master, signature: sign(seeds[this.#index]!, decideMessage(head)) }));
      peer.decide({ bytes, certificate: { head, votes } }).then(ignore, ignore);
      return;
    }
    peer.propose({ bytes, stateRoot: root, vote: this.#vote(head), again: this.#any(true, false) }).then(ignore, ignore);
  }

  /** True when no block that only a liar would make was decided. */
  static harmless(world: SimulatedMasters, index: number): boolean {
    const keys = [...(world.log(index)?.state().map.entries() ?? [])].map(([key]) => key);
    return !keys.some((k) => k.startsWith('seen/lie') || k.startsWith('seen/bad'));
  }
}
