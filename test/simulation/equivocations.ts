/**
 * Which double votes must end as evidence (rule G4): both votes reached correct masters that stood up to the end, while the height
 * was within what they keep votes for.
 */
import type { Head, Vote } from '@scs/protocol';
import { equalHeads } from '@scs/operator/master/consensus/chain.ts';
import type { State } from '@scs/operator/master/consensus/state.ts';
import { VOTES_BELOW } from '@scs/operator/master/consensus/decide.ts';
import type { Master } from './master.ts';
import { LIMITS } from './master.ts';
import { voteHolds } from './trust.ts';

interface Seen {
  readonly head: Head;
  readonly by: Master;
  readonly life: number;
}
const keeps = ({ chain }: State, height: bigint): boolean => {
  const certified = chain.certified.head.height;
  return height + VOTES_BELOW > certified && height <= certified + BigInt(LIMITS.window);
};

export class Equivocations {
  readonly #seen = new Map<string, Seen[]>();

  /** A correct master was handed a vote. */
  delivered(by: Master, head: Head, vote: Vote): void {
    if (!by.state || !keeps(by.state, head.height) || !voteHolds(head, vote)) return;
    const slot = `${head.height}/${vote.master}`;
    const seen = this.#seen.get(slot) ?? [];
    this.#seen.set(slot, [...seen, { head, by, life: by.life }]);
  }

  /** Offences, as `height/master`, of which correct masters together still hold two votes. */
  provable(): readonly string[] {
    return [...this.#seen].flatMap(([slot, seen]) => {
      const held = seen.filter(({ by, life, head }) => by.state !== undefined && by.life === life && keeps(by.state, head.height));
      const [first] = held;
      return first && held.some(({ head }) => !equalHeads(head, first.head)) ? [slot] : [];
    });
  }
}
