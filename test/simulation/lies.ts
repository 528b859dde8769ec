/** The lies, one each: what issue and rules name a Byzantine master by. Each is a rule of the real machine, bent. */
import { blockDigest, decodeBlock, EMPTY_PART, encodeBlock, type Block } from '@scs/protocol';
import { lastDecided } from '@scs/operator/master/consensus/chain.ts';
import { signConfirmation, signStatement } from '@scs/operator/master/consensus/formation.ts';
import type { Body, Message, Wire } from '@scs/operator/master/consensus/messages.ts';
import type { Intent, Output, State } from '@scs/operator/master/consensus/state.ts';
import { nameOf, toyCommand } from '@scs/operator/master/log/testing/toy-rules.ts';
import type { Lie, Means } from './bent.ts';
import { seedOf, signVote } from './trust.ts';

type Send = Extract<Output, { kind: 'send' }>;
const pick = <T>(items: readonly T[], random: () => number): T | undefined => items[Math.floor(random() * items.length)];
const others = ({ self }: Means): readonly number[] => [0, 1, 2].filter((i) => i !== self.index);
/** Another block at the same place; now and then one that no correct master takes. */
const another = (
  bytes: Uint8Array | undefined,
  { random, self }: Means,
): { readonly block: string; readonly bytes: Uint8Array } | undefined => {
  if (!bytes) return undefined;
  const kind = random();
  const name = `${kind < 0.1 ? 'lie' : kind < 0.2 ? 'bad' : 'x'}${Math.floor(random() * 1e9)}`;
  const block: Block = { ...decodeBlock(bytes), proposer: self.index, commands: [toyCommand(name)] };
  return { block: blockDigest(block), bytes: encodeBlock(block) };
};
const stream = (send: Send): Message | undefined => (send.wire.kind === 'stream' ? send.wire.message : undefined);
const withMessage = (send: Send, message: Message): readonly Output[] => [{ ...send, wire: { kind: 'stream', message } }];

const says = (name: string, kind: Body['kind'], bend: (intent: Intent, state: State, means: Means) => Intent): Lie => ({
  name,
  says: (intent, state, means) => (intent.body.kind === kind ? bend(intent, state, means) : intent),
});
const withBody = (intent: Intent, change: Partial<Body>): Intent => ({ ...intent, body: { ...intent.body, ...change } as Body });

/** Streams: what it says, with a true counter. */
const blocksOfItsOwn = says('offers what it must not', 'prepare', (intent, _state, means) => {
  const made = another(intent.bytes, means);
  return made ? { ...withBody(intent, { block: made.block }), bytes: made.bytes } : intent;
});
const twoBlocks: Lie = {
  name: 'different blocks to different peers',
  sends: (send, _state, means) => {
    const message = stream(send);
    if (message?.body.kind !== 'prepare' || send.to !== means.victim) return [send];
    const made = another(message.bytes, means);
    if (made) means.say({ body: { ...message.body, block: made.block }, bytes: made.bytes }, [send.to]);
    return [];
  },
};
const elsewhere = says('prepares at another place', 'prepare', (intent, _state, { random }) =>
  intent.body.kind === 'prepare'
    ? withBody(
        intent,
        random() < 0.5
          ? { view: intent.body.view + (random() < 0.5 ? 3 : -3) }
          : { height: intent.body.height + (random() < 0.5 ? 1n : -1n) },
      )
    : intent,
);
const falseCommits = says('commits what nobody prepared', 'commit', (intent, state, { random }) => {
  if (intent.body.kind !== 'commit') return intent;
  const { prepare } = intent.body;
  const block = pick([...state.blocks.keys()], random) ?? intent.body.block;
  return withBody(intent, random() < 0.5 ? { block } : { prepare: { ...prepare, counter: Math.max(1, prepare.counter - 1) } });
});
const leaves: Lie = {
  name: 'leaves a view, and goes on in it',
  says: (intent, state, means) => {
    if (intent.body.kind === 'commit' || intent.body.kind === 'prepare')
      means.say({ body: { kind: 'view-change', view: state.view + 1 } }, others(means));
    return intent;
  },
};
const decidesAlone: Lie = {
  name: 'commits its own prepares',
  sends: (send, _state, means) => {
    const message = stream(send);
    if (message?.body.kind === 'prepare' && send.to === means.victim) {
      const { view, height, block } = message.body;
      const { key, counter } = message.ui;
      means.say({ body: { kind: 'commit', view, height, block, prepare: { key, counter } } }, [send.to]);
    }
    return [send];
  },
};
const falseViews = says('lies in a new view', 'new-view', (intent, state, { random }) => {
  if (intent.body.kind !== 'new-view') return intent;
  const [first] = intent.body.quorum;
  const any = [...state.streams.values()].map(({ key, next }) => ({ key, counter: Math.max(1, next - 1 - Math.floor(random() * 3)) }));
  const kind = random();
  if (kind < 0.3) return withBody(intent, { quorum: [first, first] });
  if (kind < 0.7) return withBody(intent, { quorum: [pick(any, random) ?? first, pick(any, random) ?? first] });
  return withBody(intent, { base: kind < 0.85 ? null : (pick([...state.chain.marks.values()], random) ?? null) });
});
const falseCheckpoints: Lie = {
  name: 'lies in checkpoints',
  says: (intent, state, means) => {
    const { body } = intent;
    if (body.kind === 'commit' || body.kind === 'prepare') {
      const certificate = pick([...state.chain.marks.values()], means.random);
      const seen = [...state.streams.values()].map(({ key, next }) => ({ key, counter: next }));
      if (certificate && means.random() < 0.2)
        means.say({ body: { kind: 'checkpoint', view: body.view, height: certificate.head.height, certificate, lead: null, seen } }, [
          means.victim,
        ]);
    }
    return body.kind === 'checkpoint' ? withBody(intent, means.random() < 0.5 ? { lead: null } : { view: body.view + 1 }) : intent;
  },
};

/** Memory, counter and clock. */
const oldDisk: Lie = {
  name: 'restores an old disk',
  recalls: (state, { past, random }) => {
    const early = pick(past, random);
    return early && random() < 0.05 ? { ...early, now: state.now } : state;
  },
};
/** The other counter may be admitted meanwhile: then the first one is the one that has retired. */
const twoCounters: Lie = {
  name: 'restarts its counter, and keeps both',
  says: (intent, _state, means) => {
    if (intent.body.kind !== 'checkpoint') means.say(intent, others(means), means.second);
    return intent;
  },
};
const hurriesTime: Lie = {
  name: 'ticks time past a deadline',
  hears: (input) => (input.kind === 'tick' ? { ...input, now: input.now + 60_000 } : input),
};
const believesAll: Lie = {
  name: 'finds everything true',
  hears: (input) => (input.kind === 'judged' ? { ...input, fits: true } : input),
};

/** Silence and refusals. */
const silent: Lie = { name: 'says nothing', sends: () => [] };
const withholds: Lie = {
  name: 'withholds from one',
  sends: (send, _state, { victim }) => (send.to === victim && send.wire.kind !== 'status' ? [] : [send]),
};
const withholdsEvidence: Lie = { name: 'withholds votes and evidence', sends: (send) => (send.wire.kind === 'vote' ? [] : [send]) };
const refusesAdmission: Lie = {
  name: 'refuses admission',
  hears: (input) => {
    if (input.kind === 'judged') return { ...input, fits: false };
    const admits = input.kind === 'message' && input.wire.kind === 'command' && commandName(input.wire.bytes).startsWith('admit');
    return admits ? undefined : input;
  },
};
const commandName = (bytes: Uint8Array): string => {
  const { uid } = JSON.parse(new TextDecoder().decode(bytes)) as { uid?: string };
  return uid === undefined ? '' : nameOf({ type: 'task.cancel', uid });
};

/** What carries no counter. */
const votesTwice: Lie = {
  name: 'votes twice',
  sends: (send, _state, { victim, self, random }) => {
    if (send.wire.kind !== 'vote' || send.wire.vote.master !== self.index || send.to !== victim) return [send];
    const head = { ...send.wire.head, ...(random() < 0.5 ? { block: 'ee'.repeat(32) } : { stateRoot: 'ee'.repeat(32) }) };
    return [send, { ...send, wire: { kind: 'vote', head, vote: signVote(self.index, head) } }];
  },
};
const votesTwiceApart: Lie = {
  name: 'votes otherwise to another',
  sends: (send, _state, { victim, self }) => {
    if (send.wire.kind !== 'vote' || send.wire.vote.master !== self.index || send.to !== victim) return [send];
    const head = { ...send.wire.head, block: 'ee'.repeat(32) };
    return [{ ...send, wire: { kind: 'vote', head, vote: signVote(self.index, head) } }];
  },
};
const forges: Lie = {
  name: 'forges',
  sends: (send, state, means) => {
    const message = stream(send);
    const { random } = means;
    if (!message) return [send];
    const { ui } = message;
    const kind = random();
    if (kind < 0.3) return withMessage(send, { ...message, ui: { ...ui, counter: ui.counter + 1 } });
    if (kind < 0.6) return withMessage(send, { ...message, ui: { ...ui, key: pick([...state.streams.keys()], random) ?? ui.key } });
    const made = another(message.bytes, means);
    return made
      ? withMessage(send, { ...message, bytes: made.bytes })
      : withMessage(send, { ...message, body: { ...message.body, view: message.body.view + 1 } });
  },
};
const replays: Lie = {
  name: 'replays',
  sends: (send, _state, { overheard, random }) => {
    const wire = pick(overheard, random);
    return wire ? [send, { ...send, wire }] : [send];
  },
};
const falseBlocks: Lie = {
  name: 'lies in state transfer',
  sends: (send, state, { self, random }) => {
    if (send.wire.kind !== 'status') return [send];
    const tip = lastDecided(state.chain);
    const made = random() < 0.5 ? { ...tip.head, stateRoot: 'dd'.repeat(32) } : tip.head;
    const vote = signVote(self.index, made);
    const false1: Wire = {
      kind: 'certified',
      bytes: tip.bytes,
      certificate: { head: made, votes: random() < 0.5 ? [vote] : [vote, vote] },
    };
    return [
      { ...send, wire: { ...send.wire, certified: send.wire.certified + BigInt(Math.floor(random() * 50)), next: [] } },
      { ...send, wire: false1 },
    ];
  },
};

/** Not among `lies`: only who fetches a snapshot hears of it (away.ts). */
export const falseParts: Lie = {
  name: 'lies in snapshots',
  sends: (send, state, { random }) => {
    const { wire } = send;
    if (wire.kind === 'snapshot') {
      const { head, votes } = wire.certificate;
      if (random() < 0.2) return [{ ...send, wire: { ...wire, certificate: { head: { ...head, stateRoot: EMPTY_PART }, votes } } }];
      const { certificate, bytes } = state.chain.certified; // true, and it has no such snapshot
      return random() < 0.2 && certificate ? [{ ...send, wire: { kind: 'snapshot', bytes, certificate } }] : [send];
    }
    if (wire.kind !== 'part') return [send];
    const kind = random();
    if (kind < 0.3) return [];
    const { part } = wire;
    if (part.kind === 'halves') return [{ ...send, wire: { ...wire, part: { ...part, left: part.right } } }];
    const [first, ...rest] = part.entries;
    if (!first || kind < 0.5) return [{ ...send, wire: { ...wire, part: { kind: 'entries', entries: rest } } }];
    const changed = [first[0], Uint8Array.of(...first[1], 1)] as const;
    return [{ ...send, wire: { ...wire, part: { kind: 'entries', entries: [changed, ...rest] } } }];
  },
};

/** Re-formation: another counter, another head, another set to each; silence to one. */
const formsTwo: Lie = {
  name: 'lies in re-formation',
  forms: (to, wire, { victim, self, second, random }) => {
    if (to !== victim) return wire;
    const seed = seedOf(self.index);
    if (wire.kind === 'statement') {
      const { value } = wire.statement;
      const kind = random();
      if (kind < 0.2) return undefined;
      const change = kind < 0.6 ? { key: second.key } : kind < 0.8 ? { certified: null } : { formation: value.formation + 1 };
      return { kind: 'statement', statement: signStatement(seed, { ...value, ...change }), attestation: change.key ?? value.key };
    }
    if (wire.kind === 'confirmation' && random() < 0.5)
      return { kind: 'confirmation', confirmation: signConfirmation(seed, { ...wire.confirmation.value, set: 'ee'.repeat(32) }) };
    return wire;
  },
};

export const lies: readonly Lie[] = [
  formsTwo,
  blocksOfItsOwn,
  twoBlocks,
  elsewhere,
  falseCommits,
  leaves,
  decidesAlone,
  falseViews,
  falseCheckpoints,
  oldDisk,
  twoCounters,
  hurriesTime,
  believesAll,
  silent,
  withholds,
  withholdsEvidence,
  refusesAdmission,
  votesTwice,
  votesTwiceApart,
  forges,
  replays,
  falseBlocks,
];
