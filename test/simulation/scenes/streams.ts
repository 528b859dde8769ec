/** Lies in a stream that readers must not take: order, leadership, blocks, commits (rules N1, N2; MinBFT section 4.2). */
import { baseTip } from '../master.ts';
import type { Script } from '../scene.ts';

/** The primary prepares A for one, then B at the same height; its view change then seems to hold B alone. */
const twiceAtOneHeight: Script = {
  liar: 0,
  play: (s) => {
    const a = s.prepare(0, 1n, s.offer('a'));
    s.tell(2, a);
    const b = s.prepare(0, 1n, s.offer('b'));
    const change = s.change(1);
    s.moves(1, 1);
    s.tell(1, a, b, change);
    const again = s.heard(1, 'prepare', 1, 1n);
    if (again) s.tell(1, s.commit(again));
  },
};

/** It leaves its view, then prepares in it for the one who has not followed. */
const leadsWhatItLeft: Script = {
  liar: 0,
  play: (s) => {
    const change = s.change(1);
    s.moves(1, 1);
    s.tell(1, change);
    s.submit(1, 'b');
    const b = s.heard(1, 'prepare', 1, 1n);
    s.tell(2, change, s.prepare(0, 1n, s.offer('a')));
    if (b) {
      s.tell(1, ...s.own(), s.commit(b));
      s.vote(1, s.state(1).chain.decided[0]?.head ?? baseTip().head);
    }
  },
};

/** One digest, two blocks beside it. */
const oneDigestTwoBlocks: Script = {
  liar: 0,
  play: (s) => {
    const a = s.prepare(0, 1n, s.offer('a'));
    s.tell(1, a);
    s.tell(2, { ...a, bytes: s.offer('b').bytes });
  },
};
/** A correct primary's prepare is passed on with another block: its stream must not suffer for it. */
const anothersBlockSwapped: Script = {
  liar: 2,
  play: (s) => {
    s.submit(0, 'a');
    const a = s.heard(0, 'prepare', 0, 1n);
    if (!a) return;
    s.tell(1, { ...a, bytes: s.offer('b').bytes });
    const { bytes: _, ...bare } = a;
    s.tell(1, bare);
    s.tell(1, a);
  },
};

/** It decides with a correct backup in the view that it opened, then commits for the old primary what it had left. */
const commitsWhatItLeft: Script = {
  liar: 1,
  play: (s) => {
    s.submit(0, 'a');
    const a = s.heard(0, 'prepare', 0, 1n);
    const theirs = s.moves(2, 1);
    const change = s.change(1);
    const opened = s.open(1, [change, theirs]);
    const b = s.prepare(1, 1n, s.offer('b'));
    s.tell(2, change, opened, b);
    if (!a) return;
    s.tell(0, theirs, s.commit(a), b, opened, change);
  },
};

/** The primary commits its own prepare: decided by one, looked at by nobody. */
const decidesAlone: Script = {
  liar: 0,
  play: (s) => {
    const lie = s.prepare(0, 1n, s.offer('lie'));
    s.tell(1, lie, s.commit(lie));
    for (const tip of s.state(1).chain.decided) s.vote(1, tip.head);
  },
};

/** B was prepared once in a view that came to nothing; A is decided; a commit for A's prepare that names B. */
const commitsAnotherBlock: Script = {
  liar: 0,
  play: (s) => {
    const changes = [s.moves(1, 1), s.moves(2, 1)];
    s.tell(1, ...changes);
    s.submit(1, 'a');
    const a = s.heard(1, 'prepare', 1, 1n);
    const b = s.prepare(0, 1n, s.offer('b'));
    const change = s.change(1);
    s.tell(2, ...s.stream(1), b);
    if (!a) return;
    const { digest } = s.offer('b', baseTip(), {});
    const wrong = s.say({
      kind: 'commit',
      view: 1,
      height: 1n,
      block: b.body.kind === 'prepare' ? b.body.block : digest,
      prepare: { key: a.ui.key, counter: a.ui.counter },
    });
    s.tell(1, b, change, wrong);
  },
};

/** A message in a correct master's name. */
const forgedStream: Script = {
  liar: 2,
  play: (s) => {
    const { digest, bytes } = s.offer('b', baseTip(), { proposer: 0 });
    const ui = { key: s.master(0).counter.key, counter: 1, signature: '00'.repeat(64) };
    s.tell(1, { body: { kind: 'prepare', view: 0, height: 1n, block: digest }, bytes, ui });
    s.submit(0, 'a');
    const a = s.heard(0, 'prepare', 0, 1n);
    if (a) s.tell(0, s.commit(a));
  },
};
/** A block that the rules refuse. */
const badBlock: Script = {
  liar: 0,
  play: (s) => {
    s.leads(0, ['bad'], [1]);
    for (const tip of s.state(1).chain.decided) s.vote(1, tip.head);
  },
};

/** Log time never runs back (T5), though each of its times is near the clock. */
const earlierTime: Script = {
  liar: 0,
  play: (s) => {
    s.join();
    s.pass(1_000);
    s.leads(0, ['a'], [1, 2]);
    const { certified } = s.state(1).chain;
    const early = s.prepare(0, certified.head.height + 1n, s.offer('b', certified, { time: certified.time - 500 }));
    for (const { index } of s.honest()) s.tell(index, early);
  },
};

export const streamScenes = {
  earlierTime,
  forgedStream,
  badBlock,
  twiceAtOneHeight,
  leadsWhatItLeft,
  oneDigestTwoBlocks,
  anothersBlockSwapped,
  commitsWhatItLeft,
  decidesAlone,
  commitsAnotherBlock,
} satisfies Record<string, Script>;
