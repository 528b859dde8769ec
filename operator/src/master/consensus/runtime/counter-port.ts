/** Port: this master's own trusted counter, in its pod (rules N2, N7). Every call ends in bounded time and may fail. */
import type { Attestation } from '@scs/protocol';
import type { CounterNow } from '../recover.ts';
import type { Ui } from '../messages.ts';

/** The counter is another one by now: its process has started anew. */
export class CounterGone extends Error {
  override readonly name = 'CounterGone';
}
export interface CounterPort {
  describe(): Promise<CounterNow>;
  /** Throws CounterGone when the identity with this key is gone; anything else is worth another try. */
  createUi(key: string, digest: string): Promise<Ui>;
  /** Values below are no longer asked for again. Best effort. */
  forget(key: string, below: number): Promise<void>;
  attest(key: string, height: bigint, block: string): Promise<Attestation>;
  /** Ends this identity and starts another. */
  renew(key: string): Promise<CounterNow>;
  close(): void;
}
