/** Lies in checkpoints, and in what they let a stream hide (rules N1, X1; MinBFT section 4.3). */
import type { BodyOf, Scene, Script } from '../scene.ts';
import type { Message } from '@scs/operator/master/consensus/messages.ts';
import { LIMITS } from '../master.ts';

const AT = BigInt(LIMITS.checkpointEvery);
/** The liar leads view 0 rightly up to the first checkpoint height. */
const upToCheckpoint = (s: Scene): void => {
  s.join();
  s.leads(0, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  s.until(() => s.honest().every(({ index }) => s.certified(index) === AT));
};
const checkpoint = (s: Scene, change: Partial<BodyOf<'checkpoint'>> = {}): Message | undefined => {
  const certificate = s.state(1).chain.marks.get(AT);
  if (!certificate) return undefined;
  return s.say({ kind: 'checkpoint', view: 0, height: AT, certificate, lead: { quorum: [], again: [] }, seen: [], ...change });
};

/** It decides with one, and says its checkpoint again: the other, who reads from there, sees no decision. */
const repeatsACheckpoint: Script = {
  liar: 0,
  play: (s) => {
    upToCheckpoint(s);
    const first = checkpoint(s);
    for (const { index } of s.honest()) s.tell(index, first);
    s.part();
    s.tell(2, s.prepare(0, AT + 1n, s.offer('x', s.state(2).chain.certified)));
    const seen = [{ key: 'ab'.repeat(32), counter: 1 }];
    const again = checkpoint(s, { seen });
    const change = s.change(1);
    s.moves(1, 1);
    s.tell(1, again, change);
    s.pass(2_000);
    const b = s.heard(1, 'prepare', 1, AT + 1n);
    if (b) s.tell(1, s.commit(b));
  },
};

export const checkpointScenes = { repeatsACheckpoint } satisfies Record<string, Script>;
