/** Lies about decisions: forged votes, false certificates, two votes (rules G4, N1). */
import type { Head } from '@scs/protocol';
import { baseTip } from '../master.ts';
import { Violation } from '../invariants.ts';
import type { Scene, Script } from '../scene.ts';

const junk = '00'.repeat(64);
/** Master 1 decides what the liar prepared. */
const decided = (s: Scene): Head => {
  s.tell(1, s.prepare(0, 1n, s.offer('a')));
  return s.state(1).chain.decided[0]?.head ?? baseTip().head;
};

/** A vote in another's name makes a certificate. */
const forgedVote: Script = {
  liar: 0,
  play: (s) => s.wire(1, { kind: 'vote', head: decided(s), vote: { master: 2, signature: junk } }),
};
/** A vote in another's name blames that one. */
const forgedBlame: Script = {
  liar: 0,
  play: (s) => {
    const head = decided(s);
    s.wire(2, { kind: 'vote', head, vote: s.master(1).env.sign(head) });
    s.wire(2, { kind: 'vote', head: { ...head, block: 'ee'.repeat(32) }, vote: { master: 1, signature: junk } });
  },
};
/** One master's votes for two heads, to one or, the second being passed on, to two. */
const twoVotesToOne: Script = {
  liar: 0,
  play: (s) => {
    const head = decided(s);
    s.vote(1, head);
    s.vote(1, { ...head, stateRoot: 'ee'.repeat(32) });
    if (!s.invariants.proved.has('1/0')) throw new Violation('two votes of one master are no evidence');
  },
};
const twoVotesToTwo: Script = {
  liar: 0,
  play: (s) => {
    s.join();
    const head = decided(s);
    s.vote(1, head);
    s.vote(2, { ...head, block: 'ee'.repeat(32) });
    s.submit(1);
    if (!s.until(() => s.invariants.proved.has('1/0'))) throw new Violation('two votes of one master, to one each, are no evidence');
  },
};
/** A correct master's vote of another generation, at a height of this one, is no second vote. */
const otherGeneration: Script = {
  liar: 0,
  play: (s) => {
    const head = decided(s);
    const early = { ...head, generation: 7n, block: 'ee'.repeat(32) };
    for (const said of [head, early]) s.wire(2, { kind: 'vote', head: said, vote: s.master(1).env.sign(said) });
  },
};
/** A certified block whose votes are one, or one twice. */
const falseCertificate: Script = {
  liar: 0,
  play: (s) => {
    const { digest, bytes } = s.offer('lie');
    const vote = s.master(0).env.sign({ ...baseTip().head, height: 1n, block: digest });
    for (const votes of [[vote], [vote, vote], [vote, { master: 1, signature: junk }]])
      s.wire(1, { kind: 'certified', bytes, certificate: { head: { ...baseTip().head, height: 1n, block: digest }, votes } });
  },
};

export const voteScenes = { forgedVote, forgedBlame, twoVotesToOne, twoVotesToTwo, otherGeneration, falseCertificate } satisfies Record<
  string,
  Script
>;
