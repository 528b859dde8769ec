/** Lies with two counters: the one that retires and the one that follows it (rules N2, N8; docs/adr/0015). */
import type { Message } from '@scs/operator/master/consensus/messages.ts';
import { identityOf } from '@scs/operator/master/consensus/roster.ts';
import { admissionOf } from '../master.ts';
import type { SimulatedCounter } from '../trust.ts';
import type { Scene, Script } from '../scene.ts';

const admission = (s: Scene, fresh: SimulatedCounter): string => admissionOf(s.liar, fresh);
/** The first height at which the admitted counter counts; empty blocks go on until it is decided. */
const startOf = (s: Scene, by: number, { key }: SimulatedCounter): bigint => identityOf(s.state(by).chain.roster, key)?.from ?? 0n;

/** The liar's second counter is admitted, and both correct masters have decided the height from which it counts. */
const admitted = (s: Scene): SimulatedCounter => {
  const fresh = s.another();
  s.join();
  s.submit(0, admission(s, fresh));
  s.until(() => s.honest().every(({ index }) => startOf(s, index, fresh) > 0n && s.certified(index) >= startOf(s, index, fresh)));
  s.part();
  return fresh;
};

/** Master 0's stream up to its view change: what it did afterwards the other has not heard. */
const before = (s: Scene, change: Message): readonly Message[] => s.stream(0).filter(({ ui }) => ui.counter <= change.ui.counter);

/** The retired identity helps one to decide, the new one the other. */
const retiredCommits: Script = {
  liar: 2,
  play: (s) => {
    const fresh = admitted(s);
    const height = s.certified(0) + 1n;
    s.submit(0, 'a');
    const a = s.heard(0, 'prepare', 0, height);
    if (a) s.tell(0, s.commit(a));
    const change = s.change(1, fresh);
    s.moves(1, 1);
    s.tell(1, change);
    const b = s.heard(1, 'prepare', 1, height);
    if (b) s.tell(1, s.commit(b, fresh));
  },
};
/** The retired identity leads on, for one; the other opens a view with the new one. */
const retiredPrepares: Script = {
  liar: 0,
  play: (s) => {
    const fresh = s.another();
    s.join();
    s.leads(0, [admission(s, fresh), 'b', 'c', 'd', 'e']);
    s.part();
    const parent = s.state(2).chain.certified;
    const height = parent.head.height + 1n;
    const change = s.change(1, fresh);
    s.tell(2, s.prepare(0, height, s.offer('f', parent)));
    s.moves(1, 1);
    s.tell(1, change);
    const b = s.heard(1, 'prepare', 1, height);
    if (b) s.tell(1, s.commit(b, fresh));
  },
};
/** A view that the new identity opens on the retired one's view change; the new one has decided with the other already. */
const viewOnRetired: Script = {
  liar: 1,
  play: (s) => {
    const fresh = admitted(s);
    const base = s.state(0).chain.certified;
    const certificate = base.certificate ?? null;
    const height = base.head.height + 1n;
    const changes = [s.change(1, fresh), s.moves(0, 1)] as const;
    s.open(1, changes, certificate, fresh);
    // what 0 offered in its own view must be offered again
    const offered = s.heard(0, 'prepare', 0, height);
    if (offered?.bytes) s.prepare(1, height, { digest: offered.body.block, bytes: offered.bytes }, fresh);
    s.tell(0, ...s.own(fresh));
    const old = s.change(4);
    const theirs = s.moves(2, 4);
    s.open(4, [old, theirs], certificate, fresh);
    s.prepare(4, height, s.offer('c', base), fresh);
    s.tell(2, ...before(s, changes[1]), old, ...s.own(fresh));
  },
};
/**
 * The counterexample of the ADR: master 2, correct, leads a view that rests on the retired identity, which rightly has nothing above
 * its last height; the new identity has decided there with master 0, as the leader of a view of its own.
 */
const correctLeadsOnRetired: Script = {
  liar: 1,
  play: (s) => {
    const fresh = s.another();
    s.submit(0, admission(s, fresh));
    const last = (): bigint => startOf(s, 0, fresh) - 1n;
    s.until(() => {
      s.follows(0, last() > 0n ? last() : 99n);
      return last() > 0n && s.certified(0) >= last();
    });
    const base = s.state(0).chain.certified;
    const height = base.head.height + 1n;
    const others = [s.change(1, fresh), s.moves(0, 1)] as const;
    s.open(1, others, base.certificate ?? null, fresh);
    const offered = s.heard(0, 'prepare', 0, height);
    if (offered?.bytes) s.prepare(1, height, { digest: offered.body.block, bytes: offered.bytes }, fresh);
    s.tell(0, ...s.own(fresh));
    s.change(2);
    s.moves(2, 2);
    s.tell(2, ...before(s, others[1]), ...s.own());
    for (const { bytes, certificate } of s.master(0).disk.blocks(1n, Number(last()))) s.wire(2, { kind: 'certified', bytes, certificate });
    s.pass(200);
    const c = s.heard(2, 'prepare', 2, height);
    if (c) s.tell(2, ...s.own(fresh), s.commit(c, fresh));
  },
};
/** A counter that nobody admitted speaks. */
const unknownCounter: Script = {
  liar: 0,
  play: (s) => {
    const fresh = s.another();
    s.tell(2, s.prepare(0, 1n, s.offer('a')));
    s.tell(1, s.prepare(0, 1n, s.offer('b'), fresh));
  },
};

export const identityScenes = {
  retiredCommits,
  retiredPrepares,
  viewOnRetired,
  correctLeadsOnRetired,
  unknownCounter,
} satisfies Record<string, Script>;
