/** A crash that loses nothing changes nothing (rule N2): a stream that is read back from the disk means what it meant before. */
import type { State } from '@scs/operator/master/consensus/state.ts';
import type { Stream } from '@scs/operator/master/consensus/stream.ts';
import { expect, test } from 'vitest';
import { genuine, type Algorithm } from './algorithm.ts';
import { simulate } from './run.ts';

/** What of a stream binds anybody from now on. */
const meaning = ({ master, next, view, low, blind, entries, changes, lead, prepares, tail, checkpoints }: Stream) => ({
  master,
  next,
  view,
  low,
  blind,
  entries,
  changes,
  prepares,
  checkpoints,
  first: tail[0]?.ui.counter,
  lead: lead?.view === view && {
    next: lead.next,
    quorum: lead.quorum,
    plan: new Map([...lead.plan].filter(([height]) => height >= lead.next)),
  },
});

/** The machine, which compares what a master recovers with what it knew when it died. */
const comparing = (): { readonly algorithm: Algorithm; readonly compared: () => number } => {
  const known = new Map<number, { readonly formation: string; readonly state: State }>();
  let compared = 0;
  const algorithm: Algorithm = {
    ...genuine,
    step: (env, state, input) => {
      const next = genuine.step(env, state, input);
      known.set(env.index, { formation: env.formation, state: next.state });
      return next;
    },
    recover: (env, ...rest) => {
      const back = genuine.recover(env, ...rest);
      const before = known.get(env.index);
      if (before?.formation !== env.formation) return back;
      for (const [key, stream] of back.state.streams) {
        const was = before.state.streams.get(key);
        const whole = was && was.next === stream.next && was.tail[0]?.ui.counter === stream.tail[0]?.ui.counter;
        if (!whole || was.next === 1) continue;
        compared += 1;
        expect(meaning(stream)).toEqual(meaning(was));
      }
      return back;
    },
  };
  return { algorithm, compared: () => compared };
};

test('N2: streams read back after a crash mean what they meant before it', () => {
  const { algorithm, compared } = comparing();
  for (let seed = 1; seed <= 12; seed += 1) expect(simulate(seed, algorithm).failure).toBeUndefined();
  expect(compared()).toBeGreaterThan(80);
});
