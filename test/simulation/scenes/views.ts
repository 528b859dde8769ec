/** Lies in view change and new view (rules N1, N8; MinBFT section 4.4). */
import type { Message } from '@scs/operator/master/consensus/messages.ts';
import { Violation } from '../invariants.ts';
import type { Scene, Script } from '../scene.ts';

/** The liar (0) prepares A, and 2 decides it; 1 has heard nothing and goes on to view 3, which is the liar's again. */
const decideThenMove = (s: Scene): readonly [Message, Message] => {
  const a = s.prepare(0, 1n, s.offer('a'));
  s.tell(2, a);
  return [a, s.moves(1, 3)];
};

/** Its new view rests on a stream that holds A, and it offers B. */
const leavesOutThePlan: Script = {
  liar: 0,
  play: (s) => {
    const [, theirs] = decideThenMove(s);
    s.open(3, [s.change(3), theirs]);
    s.prepare(3, 1n, s.offer('b'));
    s.tell(1, ...s.own());
  },
};
/** A is in its stream, which no view change of its own ends: it names its prepare instead. */
const namesNoViewChange: Script = {
  liar: 0,
  play: (s) => {
    const [a, theirs] = decideThenMove(s);
    s.open(3, [a, theirs]);
    s.prepare(3, 1n, s.offer('b'));
    s.tell(1, ...s.own());
  },
};
/** The two correct masters are about to decide A; its new view rests on itself, twice. */
const restsOnItself: Script = {
  liar: 1,
  play: (s) => {
    s.submit(0, 'a');
    s.tell(2, ...s.stream(0));
    const change = s.change(1);
    s.open(1, [change, change]);
    s.prepare(1, 1n, s.offer('b'));
    s.tell(0, ...s.own());
  },
};
/** A is decided by one who led; B, decided later, is in another stream: the view after must take the later. */
const forgetsTheLaterView: Script = {
  liar: 1,
  play: (s) => {
    s.submit(0, 'a');
    const theirs = s.moves(2, 1);
    const change = s.change(1);
    s.open(1, [change, theirs]);
    s.prepare(1, 1n, s.offer('b'));
    s.tell(2, ...s.own());
    const third = s.change(3);
    s.moves(0, 3);
    s.tell(0, third, ...s.own().toReversed(), theirs);
    const again = s.heard(0, 'prepare', 3, 1n);
    if (again) s.tell(0, s.commit(again));
  },
};
/** It prepares A for one; the new view of the other must offer A again. */
const emptyPlan: Script = {
  liar: 0,
  play: (s) => {
    const a = s.prepare(0, 1n, s.offer('a'));
    s.tell(2, a);
    const change = s.change(1);
    s.moves(1, 1);
    s.submit(1, 'b');
    s.tell(1, a, change);
    const again = s.heard(1, 'prepare', 1, 1n);
    if (again) s.tell(1, s.commit(again));
  },
};
/**
 * 2 has decided two blocks. The liar's new view begins above the first, which 1 doesn't have, and so can't tell that the second
 * belongs to what must be offered again. Then 1 is given the certificate of the first.
 */
const beginsTooHigh = (s: Scene, proved: boolean): void => {
  const [, second] = s.leads(0, ['a', 'b'], [2]);
  const [first] = s.state(2).chain.decided;
  if (!first || !second) return;
  const votes = [0, 2].map((i) => s.master(i).env.sign(first.head));
  const certificate = { head: first.head, votes };
  const base = proved ? certificate : { head: first.head, votes: votes.map((v) => ({ ...v, signature: '00'.repeat(64) })) };
  s.open(3, [s.change(3), s.moves(1, 3)], base);
  s.prepare(3, 2n, s.offer('c', first));
  s.tell(1, ...s.own());
  s.wire(1, { kind: 'certified', bytes: first.bytes, certificate });
  s.pass(200);
};
const falseBase: Script = { liar: 0, play: (s) => beginsTooHigh(s, false) };
const earlyBase: Script = { liar: 0, play: (s) => beginsTooHigh(s, true) };
/** It opens its view once for each of the others, and prepares in it twice. */
const opensAgain: Script = {
  liar: 0,
  play: (s) => {
    const change = s.change(3);
    const first = s.moves(1, 3);
    s.open(3, [change, first]);
    s.prepare(3, 1n, s.offer('b'));
    s.tell(1, ...s.own());
    s.open(3, [change, s.moves(2, 3)]);
    s.prepare(3, 1n, s.offer('c'));
    s.change(5);
    s.moves(2, 5);
    s.tell(2, ...s.stream(1).filter(({ ui }) => ui.counter <= first.ui.counter), ...s.own());
    const again = s.heard(2, 'prepare', 5, 1n);
    if (again) s.tell(2, s.commit(again));
  },
};
/** It has decided in the view that it opened; then it changes back to the old one, and commits there. */
const changesBack: Script = {
  liar: 1,
  play: (s) => {
    s.submit(0, 'a');
    const a = s.heard(0, 'prepare', 0, 1n);
    const theirs = s.moves(2, 1);
    const change = s.change(1);
    const opened = s.open(1, [change, theirs]);
    const b = s.prepare(1, 1n, s.offer('b'));
    s.tell(2, change, opened, b);
    const back = s.change(0);
    if (a) s.tell(0, theirs, s.commit(a), back, b, opened, change);
  },
};
/** What only its own stream holds, and is not true: the new primary must look at it itself. */
const untrueInThePlan: Script = {
  liar: 0,
  play: (s) => {
    const lie = s.prepare(0, 1n, s.offer('lie'));
    const change = s.change(1);
    s.moves(1, 1);
    s.tell(1, lie, change);
    const again = s.heard(1, 'prepare', 1, 1n);
    if (again) s.tell(1, s.commit(again));
    for (const tip of s.state(1).chain.decided) s.vote(1, tip.head);
  },
};
/** A primary that says nothing, to anybody, ever. */
const silentPrimary: Script = {
  liar: 0,
  play: (s) => {
    s.join();
    s.submit(1);
    s.submit(2);
  },
};
/** A primary that does not do its effects; one master's word against it moves nobody, the other one's as well does. */
const leavesItsEffects: Script = {
  liar: 0,
  play: (s) => {
    s.join();
    s.leads(0, ['a']);
    s.master(1).take({ kind: 'neglected', view: 0 });
    s.pass(1_000);
    if (s.state(1).view !== 0 || s.state(2).view !== 0) throw new Violation('one master alone replaces the primary');
    s.master(2).take({ kind: 'neglected', view: 0 });
    if (!s.until(() => s.state(1).view === 1 && s.state(2).view === 1)) throw new Violation('who leaves its effects keeps its view');
    s.master(1).take({ kind: 'neglected', view: 0 });
    if (s.state(1).wanted !== 1) throw new Violation('an old view is held against a new primary');
  },
};

export const viewScenes = {
  leavesOutThePlan,
  namesNoViewChange,
  restsOnItself,
  forgetsTheLaterView,
  emptyPlan,
  falseBase,
  earlyBase,
  opensAgain,
  changesBack,
  untrueInThePlan,
  silentPrimary,
  leavesItsEffects,
} satisfies Record<string, Script>;
