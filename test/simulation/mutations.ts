/**
 * The algorithm with one check taken out, a line each, and the run that shows the difference. `find` is the source's own text, so a
 * change of the source that loses a mutation is an error, not a silent pass.
 */
import type { SceneName } from './scenes.ts';

export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}
/** What shows it: a scene by name, or a run of chance by its seed. */
export type Run = { readonly scene: SceneName } | { readonly seed: number; readonly hostile: boolean } | { readonly away: number };
/** `equal`: another check stands behind it, so that no run differs; the mutation after it takes both out. */
export type Shown = Run | { readonly equal: string };
export interface Mutation extends Edit {
  readonly name: string;
  readonly also?: readonly Edit[];
  readonly shown: Shown;
}
export const editsOf = ({ file, find, replace, also }: Mutation): readonly Edit[] => [{ file, find, replace }, ...(also ?? [])];

type Short = readonly [name: string, find: string, replace: string, shown: Shown, also?: readonly Edit[]];
const inFile = (file: string, list: readonly Short[]): readonly Mutation[] =>
  list.map(([name, find, replace, shown, also]) => ({ name, file, find, replace, shown, ...(also ? { also } : {}) }));
const scene = (name: SceneName): Shown => ({ scene: name });
const seed = (number: number, hostile = true): Shown => ({ seed: number, hostile });
const away = (number: number): Shown => ({ away: number });
const equal = (why: string): Shown => ({ equal: why });

const prepares = inFile('read-stream.ts', [
  ['prepares out of order', "if (body.height !== lead.next) return illegal('prepares out of order');", '', scene('twiceAtOneHeight')],
  [
    'prepares without leading',
    'if (!lead || lead.view !== body.view || stream.view !== body.view)',
    'if (!lead)',
    scene('leadsWhatItLeft'),
  ],
  ['plan not followed', 'if (planned !== undefined && planned !== body.block)', 'if (false as boolean)', scene('leavesOutThePlan')],
  [
    'retired identity prepares',
    "if (!countsAt(r.chain.roster, stream.key, body.height)) return illegal('prepares where it does not count');",
    '',
    equal('nobody follows a leader who does not count (leaderOf)'),
  ],
  [
    'retired identity prepares and is followed',
    "if (!countsAt(r.chain.roster, stream.key, body.height)) return illegal('prepares where it does not count');",
    '',
    scene('retiredPrepares'),
    [
      {
        file: 'state.ts',
        find: 's.lead?.view === state.view && s.master === primaryOf(state.view) && countsAt(state.chain.roster, s.key, height)',
        replace: 's.lead?.view === state.view && s.master === primaryOf(state.view)',
      },
    ],
  ],
  [
    'view outlives its quorum',
    'if (!lead.quorum.every((key) => countsAt(r.chain.roster, key, body.height)))',
    'if (false as boolean)',
    scene('viewOnRetired'),
  ],
  [
    'N8 as it was written',
    'if (!lead.quorum.every((key) => countsAt(r.chain.roster, key, body.height)))',
    'if (false as boolean)',
    scene('correctLeadsOnRetired'),
    [{ file: 'prepare.ts', find: 'if (!lead.quorum.every((key) => countsAt(roster, key, next))) return undefined;', replace: '' }],
  ],
]);
const commits = inFile('read-stream.ts', [
  [
    'commits in a view it has left',
    "if (body.view < stream.view) return illegal('commits in a view it has left');",
    '',
    scene('commitsWhatItLeft'),
  ],
  [
    'commit of the own prepare counts',
    "if (primaryOf(body.view) === stream.master) return illegal('commits in its own view');",
    '',
    equal('its prepare is already an entry of that view'),
  ],
  [
    'commit of the own prepare counts, a second entry too',
    "if (primaryOf(body.view) === stream.master) return illegal('commits in its own view');",
    '',
    scene('decidesAlone'),
    [
      {
        file: 'read-stream.ts',
        find: "if (stream.entries.get(body.height)?.view === body.view) return illegal('commits twice');",
        replace: '',
      },
    ],
  ],
  ['commit of another block than prepared', ' || made.block !== body.block)\n    return', ')\n    return', scene('commitsAnotherBlock')],
  [
    'retired identity commits',
    "if (!countsAt(r.chain.roster, stream.key, body.height)) return illegal('commits where it does not count');",
    '',
    scene('retiredCommits'),
  ],
]);
const views = [
  ...inFile('read-stream.ts', [
    [
      'view change proof skipped',
      "return change?.counter === reference.counter ? change : illegal('there is no such view change');",
      'return change ?? { counter: 0, low: 0n, blind: 0n, entries: new Map() };',
      scene('namesNoViewChange'),
    ],
    ['one master is a quorum', "if (masters[0] === masters[1]) return illegal('its quorum is one master');", '', scene('restsOnItself')],
    [
      'base not certified',
      "if (body.base && !r.env.holds.certificate(body.base)) return illegal('its base is not certified');",
      '',
      equal('a reader waits until it has certified the base itself (plan.ts)'),
    ],
    [
      'base neither certified nor waited for',
      "if (body.base && !r.env.holds.certificate(body.base)) return illegal('its base is not certified');",
      '',
      scene('falseBase'),
      [
        {
          file: 'plan.ts',
          find: "if (chain.certified.head.height < base) return { kind: 'wait', why: 'blocks up to the base are missing' };",
          replace: '',
        },
      ],
    ],
  ]),
  ...inFile('plan.ts', [
    [
      'new view read before its base',
      "if (chain.certified.head.height < base) return { kind: 'wait', why: 'blocks up to the base are missing' };",
      '',
      scene('earlyBase'),
    ],
    ['plan takes the lowest view', 'b.view - a.view', 'a.view - b.view', scene('forgetsTheLaterView')],
    ['plan is empty', 'if (!candidate) break;', 'break;', scene('emptyPlan')],
  ]),
  ...inFile('view-change.ts', [
    ['no view change', 'view > state.view ?', 'view < 0 ?', scene('silentPrimary')],
    [
      'no other view is asked for',
      'if (turn.state.wanted > turn.state.view) broadcast',
      'if (turn.state.wanted < 0) broadcast',
      scene('silentPrimary'),
    ],
  ]),
];
const streams = [
  ...inFile('receive.ts', [
    ['UI not verified', ' || !env.holds.ui(message.ui, uiDigest(env, message))', '', scene('forgedStream')],
    [
      'block not compared with its digest',
      "bytes !== undefined && digest('block', bytes) === body.block",
      'bytes !== undefined',
      scene('oneDigestTwoBlocks'),
    ],
    [
      'checkpoint not vouched for',
      'vouched.has(m.ui.counter)',
      'true',
      scene('repeatsACheckpoint'),
      [{ file: 'receive.ts', find: 'if (!vouched || !held) return undefined;', replace: 'if (!held) return undefined;' }],
    ],
  ]),
  ...inFile('read-stream.ts', [
    [
      'counter may skip',
      'if (message.ui.counter !== stream.next)',
      'if (message.ui.counter < stream.next)',
      scene('commitsWhatItLeft'),
      [
        {
          file: 'receive.ts',
          find: 'const message = turn.state.held.get(stream.key)?.get(stream.next);',
          replace:
            'const message = [...(turn.state.held.get(stream.key)?.values() ?? [])].toSorted((a, b) => a.ui.counter - b.ui.counter)[0];',
        },
      ],
    ],
  ]),
];
const decisions = [
  ...inFile('decide.ts', [
    ['false certificate accepted', ' || !turn.env.holds.certificate(certificate)', '', scene('falseCertificate')],
    ['one vote certifies', 'votes.length < QUORUM', 'votes.length < 1', scene('forgedVote')],
    ['vote not verified', 'if (!env.holds.vote(head, vote)) return;', '', scene('forgedVote')],
    [
      'evidence not compared',
      'if (equalHeads(known.head, held.head) || turn.state.offences.has(offenceOf(held))) return;',
      'return;',
      scene('twoVotesToOne'),
    ],
  ]),
  ...inFile('chain.ts', [
    [
      'invalid block committed',
      'const applied = env.rules.applyBlock(parent.records, block);',
      'const judged = env.rules.applyBlock(parent.records, block); const applied = judged.ok ? judged : { ok: true as const, state: parent.records };',
      scene('badBlock'),
    ],
  ]),
  ...inFile('commit.ts', [['world not asked', 'if (vouched.has(digest) ||', 'if (true || vouched.has(digest) ||', scene('decidesAlone')]]),
];
const recoveries = [
  ...inFile('recover.ts', [
    [
      'own stream forgotten',
      'readAll(turn, stored.messages, stored.anchors);',
      'readAll(turn, stored.messages.filter((m) => m.ui.key !== counter.key), stored.anchors);',
      scene('remembersItsStream'),
    ],
    [
      'old disk not noticed',
      'const muted = silence(env, turn.state, counter, intent);',
      'const muted = undefined as string | undefined;',
      scene('oldDisk'),
    ],
  ]),
  ...inFile('receive.ts', [
    ['the plan of a view is forgotten in a crash', 'reading ? { ...message, reading } : message', 'message', seed(1)],
    [
      'no anchor after a crash',
      'anchor !== undefined && anchor > (before?.next ?? 0) ? stored.get(anchor) : undefined',
      'undefined as Kept | undefined',
      away(14),
    ],
  ]),
  ...inFile('transfer.ts', [
    ['nothing sent again', 'const MESSAGES_A_REPLY = 48;', 'const MESSAGES_A_REPLY = 0;', scene('anothersBlockSwapped')],
  ]),
  ...inFile('step.ts', [
    [
      'sent before stored',
      "turn.out.push({ kind: 'store', record: { kind: 'intent', key: own.key, intent } }, askUi(turn.env, intent));",
      'turn.out.push(askUi(turn.env, intent));',
      scene('diesBeforeItsUi'),
    ],
  ]),
];

const bounds = [
  ...inFile('read-stream.ts', [
    [
      'opens a view again',
      "if (body.view < 1 || body.view < stream.view || (stream.lead && stream.lead.view >= body.view)) return illegal('opens a view again');",
      '',
      scene('opensAgain'),
    ],
    [
      'view change runs back',
      "if (view <= stream.view) return illegal('changes to a view that is not above its own');",
      '',
      scene('changesBack'),
    ],
    [
      'opens the view of another',
      "if (primaryOf(body.view) !== stream.master) return illegal('opens a view that is not its own');",
      '',
      equal('nobody follows a leader whose view it is not (leaderOf), and its plan binds it like any other'),
    ],
    [
      'commits twice',
      "if (stream.entries.get(body.height)?.view === body.view) return illegal('commits twice');",
      '',
      equal('a view has one prepare a height, so it is the same commit again, or the own prepare, which is refused'),
    ],
  ]),
  ...inFile('plan.ts', [['vouched by one', 'entries.length > 1 && entries.every', 'entries.every', scene('untrueInThePlan')]]),
  ...inFile('decide.ts', [
    [
      'a vote counts twice',
      'const votes = [...(turn.state.votes.get(head.height)?.values() ?? [])].filter((v) => equalHeads',
      'const votes = [...(turn.state.votes.get(head.height)?.values() ?? [])].flatMap((v) => [v, v]).filter((v) => equalHeads',
      scene('forgedVote'),
    ],
    [
      'votes of another group',
      'if (head.genesis !== env.genesis || head.generation !== env.generation) return;',
      '',
      scene('otherGeneration'),
    ],
  ]),
  ...inFile('chain.ts', [
    ['time runs back', "if (block.time < parent.time) return { ok: false, why: 'time runs back' };", '', scene('earlierTime')],
  ]),
  ...inFile('transfer.ts', [['suspects kept to itself', '\n  passOnSuspects(turn);', '', seed(9)]]),
];

const formations = [
  ...inFile('receive.ts', [['reads on after it left', 'if (state.left || !stream ||', 'if (!stream ||', scene('commitsAfterwards')]]),
  ...inFile('formation-step.ts', [['confirms with something uncertified', 'value.quiet && ', '', scene('decidedUncertified')]]),
];

const snapshots = inFile('fetch.ts', [
  ['part not verified', 'if (!isPartOf(asked.hash, prefix, part)) return leavePeer(turn, fetch);', '', away(2)],
  ['snapshot without certificate', ' || !turn.env.holds.certificate(certificate)', '', away(6)],
  [
    'asks the same peer for ever',
    'const offers = new Map([...fetch.offers].filter(([other]) => other !== fetch.from));',
    'const { offers } = fetch;',
    away(6),
  ],
]);

export const mutations: readonly Mutation[] = [
  ...formations,
  ...bounds,
  ...prepares,
  ...commits,
  ...views,
  ...streams,
  ...decisions,
  ...recoveries,
  ...snapshots,
];
