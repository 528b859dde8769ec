/** How the agreement stands, as formations must know it (rules N7, N9). */
import { decidedHeight } from './chain.ts';
import type { Standing } from './formation-step.ts';
import type { CounterNow } from './recover.ts';
import { countsAt, identityOf, latestOf } from './roster.ts';
import type { State } from './state.ts';

export interface DiskStanding {
  /** What this master promised before is not known: see `Standing`. */
  readonly blank: boolean;
  /** It has voted for a block that is not certified here. */
  readonly voted: boolean;
}
/** Until an admitted counter's first height comes, its master has no voice (N7). */
export const standingOf = (state: State, index: number, { key, last }: CounterNow, { blank, voted }: DiskStanding): Standing => {
  const { chain, streams, own, left } = state;
  const said = [...streams.values()].findLast(({ master, next }) => master === index && next > 1);
  return {
    key,
    used: last > 0 || identityOf(chain.roster, key) !== undefined,
    admitted:
      latestOf(chain.roster, index)?.key === key &&
      countsAt(chain.roster, key, decidedHeight(chain) + 1n) &&
      (own.muted === undefined || left === true),
    certified: chain.certified.certificate ?? null,
    quiet: chain.decided.length === 0 && !voted,
    ended: said ? { key: said.key, counter: said.next - 1 } : null,
    blank,
  };
};
