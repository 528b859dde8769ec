/** Masters that start again: with all they stored, with an old disk, in the moment between counter and disk (rules N2, N7). */
import { Violation } from '../invariants.ts';
import type { Scene, Script } from '../scene.ts';

const restart = (s: Scene, index: number): void => {
  s.master(index).crash();
  s.master(index).start();
};

/** A primary that has prepared starts again: it must know what it said. */
const remembersItsStream: Script = {
  liar: 2,
  play: (s) => {
    s.submit(0, 'a');
    restart(s, 0);
  },
};
/** It dies when its counter has counted and its disk has not heard of it. */
const diesBeforeItsUi: Script = {
  liar: 2,
  play: (s) => {
    const { counter } = s.master(0);
    const before = counter.last;
    s.submit(0, 'b', 0);
    for (let ms = 0; ms < 100 && counter.last === before; ms += 1) s.pass(1);
    restart(s, 0);
  },
};
/** The faulty one here is no liar: its disk is put back to an earlier day. Its counter tells, and it must say so. */
const oldDisk: Script = {
  liar: 0,
  play: (s) => {
    const faulty = s.master(0);
    faulty.start();
    const early = faulty.disk.copy();
    s.submit(0, 'a');
    faulty.crash();
    faulty.disk.restore(early);
    faulty.start();
    const silent = faulty.state?.own.muted !== undefined;
    faulty.crash();
    if (!silent) throw new Violation('an old disk goes unnoticed');
  },
};

export const restartScenes = { remembersItsStream, diesBeforeItsUi, oldDisk } satisfies Record<string, Script>;
