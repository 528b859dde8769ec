/** Lies when a group of counters forms anew (rule N9): what the liar kept back of the old formation comes out when others have left it. */
import { setDigest, signConfirmation, signStatement, type Statement } from '@scs/operator/master/consensus/formation.ts';
import type { Message } from '@scs/operator/master/consensus/messages.ts';
import type { Scene, Script } from '../scene.ts';
import { GROUP, seedOf } from '../trust.ts';

/** The liar's word for formation 2, again and again, until master 0 has confirmed or time is up. */
const states = (s: Scene, statement: Statement, until: () => boolean): boolean =>
  s.until(() => {
    for (const { index } of s.honest()) {
      s.wire(index, { kind: 'hello', formation: 1, key: statement.key, admitted: false });
      s.wire(index, { kind: 'statement', statement: signStatement(seedOf(s.liar), statement), attestation: statement.key });
    }
    return until();
  }, 10_000);
const confirms = (s: Scene, own: Statement): void => {
  const statements = [0, 1, 2].flatMap((i) =>
    i === s.liar ? signStatement(seedOf(i), own) : (s.master(i).formation.own?.statement ?? []),
  );
  const confirmation = signConfirmation(seedOf(s.liar), { formation: own.formation, master: s.liar, set: setDigest(statements) });
  for (const { index } of s.honest()) s.wire(index, { kind: 'confirmation', confirmation });
  s.pass(2_000);
};

/** Master 0 has offered A; both correct masters lose their counters; the liar commits A for 0 before or after 0's confirmation. */
const keepsBack = (s: Scene, whenToCommit: 'before' | 'after'): void => {
  s.submit(0, 'a');
  const a = s.heard(0, 'prepare', 0, 1n);
  const commit: Message | undefined = a && s.commit(a);
  for (const master of s.honest()) {
    master.loseCounter();
    master.crash();
    master.start();
  }
  if (whenToCommit === 'before') s.tell(0, commit);
  s.forming = true;
  const fresh = s.another();
  const { genesis, generation } = GROUP;
  const own = {
    genesis,
    generation,
    formation: 2,
    master: s.liar,
    key: fresh.key,
    ended: null,
    certified: null,
    quiet: true,
    blank: false,
  };
  states(s, own, () => s.master(0).formation.confirmation !== undefined);
  if (whenToCommit === 'after') s.tell(0, commit);
  confirms(s, own);
};
const commitsAfterwards: Script = { liar: 1, play: (s) => keepsBack(s, 'after') };
const decidedUncertified: Script = {
  liar: 1,
  stops: true,
  play: (s) => {
    keepsBack(s, 'before');
    s.join();
    s.submit(0);
    s.pass(5_000);
  },
};

export const formationScenes = { commitsAfterwards, decidedUncertified } satisfies Record<string, Script>;
