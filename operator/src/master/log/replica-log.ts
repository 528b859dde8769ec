/** The half of the port `Log` that every agreement answers alike: what this master's replica has decided. */
import type { Block, Certificate, CertifiedLeaf, State } from '@scs/protocol';
import type { Decided } from './log.ts';
import { Replica, type ReplicaOptions } from './replica.ts';

export abstract class ReplicaLog {
  protected readonly replica: Replica;

  /** Reads the disk; throws DiskError or ReplicaError. */
  constructor(options: ReplicaOptions) {
    this.replica = new Replica(options);
  }

  onDecided(handler: (decided: Decided) => void): () => void {
    return this.replica.onDecided(handler);
  }
  height(): bigint {
    return this.replica.height();
  }
  time(): number {
    return this.replica.time();
  }
  state(): State {
    return this.replica.state();
  }
  certificate(): Certificate | undefined {
    return this.replica.certificate();
  }
  leaf(key: string): CertifiedLeaf | undefined {
    return this.replica.leaf(key);
  }
  block(height: bigint): Block | undefined {
    return this.replica.block(height);
  }
}
