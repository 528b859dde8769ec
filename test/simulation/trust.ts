/**
 * Keys of the simulated world: a signature names its signer and what it covers, so a run of thousands of messages costs milliseconds.
 * Nobody in the simulation writes another's name into one: a liar has `signVote` with its own index, and its own counters.
 */
import {
  decideMessage,
  digest,
  equivocationFault,
  FIRST_GENERATION,
  publicKeyOf,
  sign,
  utf8,
  type Certificate,
  type Head,
  type Vote,
} from '@scs/protocol';
import type { Group } from '@scs/operator/master/consensus/formation.ts';
import type { Ui } from '@scs/operator/master/consensus/messages.ts';

export const GENESIS = 'ab'.repeat(32);
export const FORMATION = 'cd'.repeat(32);
const keyed = (secret: string, text: string): string => `${secret} signs ${text}`;

const voteText = (head: Head): string => `${head.genesis}/${head.generation}/${head.height}/${head.stateRoot}/${head.block}`;
export const signVote = (master: number, head: Head): Vote => ({ master, signature: keyed(`durable${master}`, voteText(head)) });
export const voteHolds = (head: Head, vote: Vote): boolean =>
  vote.master >= 0 && vote.master < 3 && vote.signature === keyed(`durable${vote.master}`, voteText(head));
export const certificateHolds = ({ head, votes }: Certificate): boolean =>
  head.genesis === GENESIS &&
  head.generation === 0n &&
  votes.length >= 2 &&
  votes.every((v, i) => v.master > (votes[i - 1]?.master ?? -1) && voteHolds(head, v));

const DURABLE_SEEDS = ['01', '02', '03'].map((byte) => byte.repeat(32));
export const seedOf = (master: number): string => DURABLE_SEEDS[master] ?? '';
/** Formations are rare, and their signatures real. */
export const GROUP: Group = { genesis: GENESIS, generation: FIRST_GENERATION, keys: DURABLE_SEEDS.map(publicKeyOf) };

/** The same two heads under real keys, through the check that `scs::accountability` makes; its code when that refuses them. */
export const faultForContract = (first: { head: Head; vote: Vote }, second: { head: Head; vote: Vote }): string | undefined => {
  const { master } = first.vote;
  const signed = ({ head }: { head: Head }) => ({ head, signature: sign(seedOf(master), decideMessage(head)) });
  const committee = { generation: GROUP.generation, keys: GROUP.keys };
  return equivocationFault({ master, votes: [signed(first), signed(second)] }, GENESIS, committee)?.code;
};

export const uiHolds = (ui: Ui, of: string): boolean => ui.counter > 0 && ui.signature === keyed(`counter${ui.key}`, `${ui.counter}/${of}`);

export const counterKey = (name: string): string => digest('simulated-counter', utf8(name));

/** A trusted counter: alive in one enclave, gone when that dies. Whoever owns it can't make it repeat or skip. */
export class SimulatedCounter {
  readonly name: string;
  readonly key: string;
  last = 0;
  readonly #given = new Map<string, Ui>();
  constructor(name: string) {
    this.name = name;
    this.key = counterKey(name);
  }
  createUi(of: string): Ui {
    const known = this.#given.get(of);
    if (known) return known;
    this.last += 1;
    const ui = { key: this.key, counter: this.last, signature: keyed(`counter${this.key}`, `${this.last}/${of}`) };
    this.#given.set(of, ui);
    return ui;
  }
}
