/** When what waits in memory and in the journal comes into the log's file (ADR 0022). */
import type { Waiting } from '../../log/waiting-writes.ts';

const MOST = { blocks: 64, bytes: 4 * 1024 * 1024 } as const;
/** What waits comes into the log's file so often at least. */
const IDLE_MS = 1_000;

/** Enough waits. */
export const flushDue = ({ blocks, bytes }: Waiting): boolean => blocks >= MOST.blocks || bytes >= MOST.bytes;

/** Tells when a little has waited for long: a vote without its block, too, so that no more than a second of them is in the journal alone (G4). */
export class IdleFlush {
  #since: number | undefined;

  due(now: number, { blocks, votes }: Waiting): boolean {
    if (blocks === 0 && votes === 0) {
      this.#since = undefined;
      return false;
    }
    this.#since ??= now;
    if (Math.abs(now - this.#since) < IDLE_MS) return false;
    this.#since = undefined;
    return true;
  }
}
