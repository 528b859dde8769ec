/** One master's copy of the log: restores it, evaluates blocks, appends what is certified (rules N6, X1). */
import {
  blockDigest,
  certificateFault,
  decodeBlock,
  encodeCanonical,
  generationAfter,
  generationAt,
  headOf,
  hex,
  MerkleMap,
  sameHead,
  State,
  type Block,
  type Certificate,
  type CertifiedLeaf,
  type Committee,
  type Head,
} from '@scs/protocol';
import type { Logger } from '../../kube/logger.ts';
import { DiskError, type Disk } from './disk.ts';
import type { Decided } from './log.ts';
import type { Fault, Rules } from './rules-port.ts';

export interface ReplicaOptions {
  readonly disk: Disk;
  readonly rules: Rules;
  /** Hex digest of the genesis, and its log time in milliseconds. */
  readonly genesis: string;
  readonly genesisTime: number;
  readonly committee: Committee;
  readonly logger: Logger;
}
/** A block that fits on the state here, and what it makes of it. */
export interface Evaluated {
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly head: Head;
  readonly before: State;
  readonly state: State;
}
export type Evaluation = { readonly ok: true; readonly evaluated: Evaluated } | { readonly ok: false; readonly fault: Fault };

export type ReplicaFault =
  /** A peer sent something that isn't certified, or doesn't fit: its fault. */
  | 'CertificateInvalid'
  | 'BlockInvalid'
  /** Two masters certified what this program evaluates otherwise: it must not go on. */
  | 'StateRootMismatch'
  /** The masters were recovered from a height below what is certified here, or from another state: what was decided would be lost. */
  | 'RecoveryBehind'
  /** Two certificates at one height: some master signed twice (G4). */
  | 'Fork';
export class ReplicaError extends Error {
  readonly code: ReplicaFault;
  constructor(code: ReplicaFault, detail: string) {
    super(detail);
    this.name = 'ReplicaError';
    this.code = code;
  }
}

const KEPT_EVALUATIONS = 4;

export class Replica {
  readonly #o: ReplicaOptions;
  readonly #handlers = new Set<(decided: Decided) => void>();
  readonly #evaluations = new Map<string, Evaluated>();
  #state: State;
  #certificate: Certificate | undefined;
  #last: Block | undefined;
  #halted: ReplicaError | undefined;
  /** The disk holds a state: of height 0 it holds none. */
  #hasEntries = false;

  constructor(options: ReplicaOptions) {
    this.#o = options;
    this.#state = options.rules.initial();
    this.#restore();
  }

  state(): State {
    return this.#state;
  }
  height(): bigint {
    return this.#last?.height ?? 0n;
  }
  time(): number {
    return this.#last?.time ?? this.#o.genesisTime;
  }
  certificate(): Certificate | undefined {
    return this.#certificate;
  }
  /** Set when this master must not go on; it then refuses to vote, and isn't ready. */
  halted(): ReplicaError | undefined {
    return this.#halted;
  }
  parent(): string {
    return this.#last ? (this.#certificate?.head.block ?? '') : this.#o.genesis;
  }
  block(height: bigint): Block | undefined {
    const stored = this.#o.disk.block(height);
    return stored && decodeBlock(stored.bytes);
  }
  leaf(key: string): CertifiedLeaf | undefined {
    const value = this.#state.map.get(key);
    const path = this.#state.map.prove(key);
    if (!value || !path || !this.#certificate) return undefined;
    return { key, value: hex(value), siblings: path.siblings.map(hex), certificate: this.#certificate };
  }
  onDecided(handler: (decided: Decided) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** What the bytes do on the state here. Hostile bytes give a fault, never an exception. */
  evaluate(bytes: Uint8Array): Evaluation {
    let block: Block;
    try {
      block = decodeBlock(bytes);
    } catch (error) {
      return {
        ok: false,
        fault: { code: 'BlockMalformed', message: error instanceof Error ? error.message.slice(0, 300) : 'not a block' },
      };
    }
    const digest = blockDigest(block);
    const known = this.#evaluations.get(digest);
    if (known && known.before === this.#state) return { ok: true, evaluated: known };
    const misfit = this.#misfit(block);
    if (misfit) return { ok: false, fault: { code: 'BlockMisfit', message: misfit } };
    const applied = this.#o.rules.applyBlock(this.#state, block);
    if (!applied.ok) return applied;
    const head = headOf(block, this.#o.genesis, hex(applied.state.root()));
    const evaluated = { block, bytes, head, before: this.#state, state: applied.state };
    this.#evaluations.set(digest, evaluated);
    const oldest = this.#evaluations.keys().next().value;
    if (this.#evaluations.size > KEPT_EVALUATIONS && oldest !== undefined) this.#evaluations.delete(oldest);
    return { ok: true, evaluated };
  }

  #misfit(block: Block): string | undefined {
    if (block.height !== this.height() + 1n) return `height ${block.height} does not follow ${this.height()}`;
    if (block.generation !== generationAfter(this.#o.committee, { height: this.height(), stateRoot: hex(this.#state.root()) }))
      return `generation ${block.generation} does not follow`;
    if (block.parent !== this.parent()) return 'the parent is another block';
    return block.time < this.time() ? 'its time is before its parent’s' : undefined;
  }

  /**
   * Appends a certified block, whoever brought it. `known` when it was decided before. Throws ReplicaError: with
   * `StateRootMismatch` and `Fork` this replica is halted.
   */
  decide(bytes: Uint8Array, certificate: Certificate): 'decided' | 'known' {
    if (this.#halted) throw this.#halted;
    const fault = certificateFault(certificate, this.#o.genesis, this.#o.committee);
    if (fault) throw new ReplicaError('CertificateInvalid', `the certificate does not hold: ${fault.code}`);
    if (certificate.head.height <= this.height()) return this.#compare(certificate);
    const evaluation = this.evaluate(bytes);
    if (!evaluation.ok) {
      const { code, message } = evaluation.fault;
      // the digest tells a peer's rubbish from a certified block that our rules refuse
      if (code === 'BlockMalformed' || code === 'BlockMisfit' || blockDigest(decodeBlock(bytes)) !== certificate.head.block)
        throw new ReplicaError('BlockInvalid', `${code}: ${message}`);
      throw this.#halt(
        new ReplicaError('StateRootMismatch', `a certified block at ${certificate.head.height} is refused here: ${code}: ${message}`),
      );
    }
    const { evaluated } = evaluation;
    if (evaluated.head.block !== certificate.head.block) throw new ReplicaError('BlockInvalid', 'the certificate is of another block');
    if (!sameHead(evaluated.head, certificate.head))
      throw this.#halt(
        new ReplicaError('StateRootMismatch', `block ${certificate.head.height} gives another state here than the certified one`),
      );
    this.#append(evaluated, certificate);
    return 'decided';
  }

  #append(evaluated: Evaluated, certificate: Certificate): void {
    this.adopt(evaluated, certificate)();
  }

  /**
   * For an agreement that has evaluated and certified the block itself: writes it now, on top of `before`, which may be written and not
   * told yet; what it returns is called once that is durable enough to be told.
   */
  adopt({ block, bytes, before, state }: Omit<Evaluated, 'head'>, certificate: Certificate): () => void {
    const changes = [...state.map.changesSince(before.map)];
    this.#o.disk.append({ height: block.height, bytes, certificate }, this.#hasEntries ? changes : state.map.entries());
    this.#hasEntries = true;
    return () => this.#enter(block, state, certificate, changes);
  }

  #enter(block: Block, state: State, certificate: Certificate, changes: readonly (readonly [string, Uint8Array | undefined])[]): void {
    this.#state = state;
    this.#certificate = certificate;
    this.#last = block;
    this.#evaluations.clear();
    const decided: Decided = { block, certificate, state, touched: changes.map(([key]) => key) };
    for (const handler of this.#handlers) handler(decided);
  }

  #compare(certificate: Certificate): 'known' {
    const stored = this.#o.disk.block(certificate.head.height);
    if (!stored || sameHead(stored.certificate.head, certificate.head)) return 'known';
    const twice = certificate.votes.find((v) => stored.certificate.votes.some((s) => s.master === v.master));
    const proof = encodeCanonical({ first: stored.certificate, second: certificate });
    if (twice) this.#o.disk.storeOffence({ master: twice.master, height: certificate.head.height, proof });
    throw this.#halt(
      new ReplicaError('Fork', `two certificates at height ${certificate.head.height}: master ${twice?.master ?? '?'} signed twice`),
    );
  }

  #halt(error: ReplicaError): ReplicaError {
    this.#halted = error;
    this.#o.logger.error({ code: error.code, height: Number(this.height()) }, error.message);
    return error;
  }

  /** State from the stored entries if they have the certified root, else by applying all blocks again. */
  #restore(): void {
    const last = this.#o.disk.last();
    if (!last) return;
    this.#hasEntries = true;
    this.checkGeneration(last.certificate.head);
    let map = MerkleMap.empty;
    for (const [key, value] of this.#o.disk.entries()) map = map.set(key, value);
    const state = new State(map);
    if (hex(state.root()) === last.certificate.head.stateRoot) this.#settle(decodeBlock(last.bytes), last.certificate, state);
    else this.#replay();
  }

  /** A recovery begins at the last certified height, or nobody may go on from it (N9). */
  checkGeneration(head: Head): void {
    const { committee } = this.#o;
    if (head.generation === generationAt(committee, head.height) && generationAfter(committee, head) !== undefined) return;
    throw new ReplicaError(
      'RecoveryBehind',
      `RecoveryBehind: block ${head.height} of generation ${head.generation} is certified here, and generation ${committee.generation} began at ${committee.base?.height ?? 0n} without it`,
    );
  }

  #replay(): void {
    const [first] = this.#o.disk.blocks(1n, 1);
    if (first && first.height > 1n)
      throw new DiskError('DiskCorrupt', `the stored state is damaged, and blocks below ${first.height} are not here to make it again`);
    this.#o.logger.warn({}, 'the stored state does not have the certified root; applying all blocks again');
    for (let from = 1n; ; from += 100n) {
      const stored = this.#o.disk.blocks(from, 100);
      for (const { bytes, certificate } of stored) {
        const evaluation = this.evaluate(bytes);
        if (!evaluation.ok || !sameHead(evaluation.evaluated.head, certificate.head))
          throw new ReplicaError('StateRootMismatch', `block ${certificate.head.height} on disk does not give its certified state`);
        this.#settle(evaluation.evaluated.block, certificate, evaluation.evaluated.state);
      }
      if (stored.length < 100) break;
    }
    this.#o.disk.replaceEntries(this.#state.map.entries());
  }

  #settle(block: Block, certificate: Certificate, state: State): void {
    this.#last = block;
    this.#certificate = certificate;
    this.#state = state;
  }
}
