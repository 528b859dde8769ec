/** N8: a counter that nobody has admitted asks to be. */
import { signStatement, type Command, type Head, type State as Records } from '@scs/protocol';
import type { Clock } from '../../../kube/clock.ts';
import { errorFields, type Logger } from '../../../kube/logger.ts';
import type { Decision } from '../../log/log.ts';
import { identityOf } from '../roster.ts';
import type { State } from '../state.ts';
import type { CounterPort } from './counter-port.ts';

export interface AdmissionOptions {
  readonly genesisDigest: string;
  readonly index: number;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly counter: CounterPort;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The agreement on the counter's present key; undefined while there is none, or this master has stated that its stream ended. */
  readonly standing: () => { readonly state: State; readonly key: string } | undefined;
  /** The last certified head and the records there. */
  readonly certified: () => { readonly head: Head; readonly records: Records };
  readonly propose: (command: Command) => Promise<Decision>;
}

const EVERY_MS = 2_000;

/** Until the signal. */
export const keepAdmitted = async (o: AdmissionOptions, signal: AbortSignal): Promise<void> => {
  const { clock, logger } = o;
  while (!signal.aborted) {
    await clock.sleep(EVERY_MS, signal);
    try {
      const command = await admission(o);
      if (!command) continue;
      const decision = await o.propose(command);
      logger.info({ code: decision.ok ? 'Decided' : decision.code }, 'admission of this master’s counter');
    } catch (error) {
      logger.warn(errorFields(error), 'the counter could not be attested');
    }
  }
};

const admission = async ({ genesisDigest, index, seed, counter, ...o }: AdmissionOptions): Promise<Command | undefined> => {
  const standing = o.standing();
  if (!standing) return undefined;
  const { state, key } = standing;
  if (state.own.key !== key || state.own.muted !== undefined || identityOf(state.chain.roster, key)) return undefined;
  const { head, records } = o.certified();
  const { height, block } = head;
  const sequence = (records.get('counter', String(index))?.sequence ?? 0) + 1;
  const attestation = await counter.attest(key, height, block);
  const statement = { master: index, key, sequence, height, block, attestation };
  return { type: 'counter.admit', statement, signature: signStatement(seed, 'counter.admit', genesisDigest, statement) };
};
