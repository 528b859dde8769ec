/** X4: a master says which version of the protocol its build carries, once for each build that carries another. */
import { NEWEST_PROTOCOL, signStatement, type Command, type State } from '@scs/protocol';
import type { Clock } from '../kube/clock.ts';
import { errorFields, type Logger } from '../kube/logger.ts';
import type { Decision } from './log/log.ts';

export interface AnnouncementOptions {
  readonly genesisDigest: string;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly state: () => State;
  readonly propose: (command: Command) => Promise<Decision>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newest?: number;
}
const EVERY_MS = 3_000;

/** undefined when it is announced. */
export const announcement = (o: AnnouncementOptions): Command | undefined => {
  const { genesisDigest, index, seed, newest = NEWEST_PROTOCOL } = o;
  const last = o.state().get('version', String(index));
  if (last?.newest === newest) return undefined;
  const statement = { master: index, newest, sequence: (last?.sequence ?? 0) + 1 };
  return { type: 'version.announce', statement, signature: signStatement(seed, 'version.announce', genesisDigest, statement) };
};

/** Until the signal. */
export const keepAnnounced = async (o: AnnouncementOptions, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await o.clock.sleep(EVERY_MS, signal);
    const command = signal.aborted ? undefined : announcement(o);
    if (!command) continue;
    try {
      const decision = await o.propose(command);
      o.logger.info({ code: decision.ok ? 'Decided' : decision.code }, 'the version of the protocol that this build carries is announced');
    } catch (error) {
      o.logger.warn(errorFields(error), 'the version that this build carries could not be announced');
    }
  }
};
