/** What must hold at each step of every run, whatever is down, away or lying (rules N1, N2, G4, X1). */
import { decodeBlock, type Certificate, type Head } from '@scs/protocol';
import { equalHeads } from '@scs/operator/master/consensus/chain.ts';
import type { HeldVote } from '@scs/operator/master/consensus/state.ts';
import { nameOf } from '@scs/operator/master/log/testing/toy-rules.ts';
import { certificateHolds, faultForContract, voteHolds } from './trust.ts';

export class Violation extends Error {
  override readonly name = 'Violation';
}
export class Invariants {
  /** What correct masters decided. */
  readonly heads = new Map<bigint, Head>();
  readonly commands = new Map<string, bigint>();
  readonly #times = new Map<bigint, number>();
  /** Offences with evidence, as `height/master`. */
  readonly proved = new Set<string>();
  readonly #isHonest: (master: number) => boolean;
  constructor(isHonest: (master: number) => boolean) {
    this.#isHonest = isHonest;
  }

  /** A correct master is about to vote: it has decided. `stored` is what its disk says of that height. */
  voted(master: number, head: Head, stored: Head | undefined): void {
    if (stored && !equalHeads(stored, head)) throw new Violation(`master ${master} votes twice at height ${head.height}`);
    const known = this.heads.get(head.height);
    if (known && known.block !== head.block) throw new Violation(`two blocks are decided at height ${head.height}`);
    if (known && !equalHeads(known, head)) throw new Violation(`one block gives two states at height ${head.height}`);
    this.heads.set(head.height, head);
  }

  certified(master: number, bytes: Uint8Array, certificate: Certificate): void {
    const { head } = certificate;
    if (!certificateHolds(certificate)) throw new Violation(`master ${master} takes a false certificate at height ${head.height}`);
    this.voted(master, head, undefined);
    const { time, commands } = decodeBlock(bytes);
    this.#times.set(head.height, time);
    if (time < (this.#times.get(head.height - 1n) ?? 0)) throw new Violation(`log time runs back at height ${head.height}`);
    for (const command of commands) {
      const name = nameOf(command);
      if (/^(bad|lie)/.test(name)) throw new Violation(`${name} is decided, which no correct master takes`);
      const before = this.commands.get(name);
      if (before !== undefined && before !== head.height) throw new Violation(`${name} is applied at ${before} and at ${head.height}`);
      this.commands.set(name, head.height);
    }
  }

  evidence(first: HeldVote, second: HeldVote): void {
    const { master } = first.vote;
    const proves =
      second.vote.master === master &&
      first.head.height === second.head.height &&
      !equalHeads(first.head, second.head) &&
      voteHolds(first.head, first.vote) &&
      voteHolds(second.head, second.vote);
    if (!proves) throw new Violation('evidence proves nothing');
    const fault = faultForContract(first, second);
    if (fault) throw new Violation(`the contract would refuse the evidence: ${fault}`);
    if (this.#isHonest(master)) throw new Violation(`honest master ${master} is blamed`);
    this.proved.add(`${first.head.height}/${master}`);
  }

  condition(by: number, code: string, message: string): void {
    if (code === 'Fork' || code === 'DecidedInvalid') throw new Violation(`master ${by}: ${code}: ${message}`);
    const about = /^master (\d)/.exec(message)?.[1];
    if (code === 'StreamFault' && (about === undefined || this.#isHonest(Number(about))))
      throw new Violation(`master ${by} refuses an honest stream: ${message}`);
  }
}
