import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Head } from '@scs/protocol';
import { barAfterBlank, judgeProposal, mayOriginate, nextStep, timeFault, type Ballot, type Heard, type VotedBlock } from './voting.ts';

const head = (height: bigint, block: string): Head => ({
  genesis: '00'.repeat(32),
  generation: 0n,
  height,
  stateRoot: 'bb'.repeat(32),
  block: block.repeat(32),
});
const vote = (master: number, height: bigint, block: string): VotedBlock => ({
  head: head(height, block),
  bytes: new Uint8Array(),
  vote: { master, signature: '' },
});
const ballot = (decided: bigint, own?: VotedBlock, bar = 0n): Ballot => ({ generation: 0n, decided, bar, ...(own && { own }) });
const none = (master: number, decided: bigint): Heard => ({ master, decided });
const found = (master: number, decided: bigint, block: string): Heard => ({ master, decided, found: vote(master, decided + 1n, block) });

test.each([
  ['a decided height', ballot(5n), head(5n, 'aa'), 'decided'],
  ['a height with blocks missing before it', ballot(5n), head(7n, 'aa'), 'behind'],
  ['the next height', ballot(5n), head(6n, 'aa'), 'examine'],
  ['the Head it voted for', ballot(5n, vote(0, 6n, 'aa')), head(6n, 'aa'), 'repeat'],
  ['another Head than it voted for', ballot(5n, vote(0, 6n, 'aa')), head(6n, 'cc'), 'otherwise'],
  ['a height it may have voted at before its disk was lost', ballot(5n, undefined, 6n), head(6n, 'aa'), 'barred'],
])('G4: a proposal at %s', (_what, own, proposed, kind) => expect(judgeProposal(own, proposed).kind).toBe(kind));

describe('what a holder does next', () => {
  test.each([
    ['nobody was heard', ballot(5n), [], 'wait'],
    ['one other has no vote', ballot(5n), [none(1, 5n)], 'originate'],
    ['another is ahead', ballot(5n), [none(1, 5n), none(2, 6n)], 'catchUp'],
    ['another is behind', ballot(5n), [none(1, 3n)], 'originate'],
    ['it has voted itself', ballot(5n, vote(0, 6n, 'aa')), [none(1, 5n)], 'repropose'],
    ['it finds its own vote at another', ballot(5n, vote(0, 6n, 'aa')), [found(1, 5n, 'aa')], 'conclude'],
    ['both others voted for one block', ballot(5n), [found(1, 5n, 'aa'), found(2, 5n, 'aa')], 'conclude'],
    ['it finds a vote', ballot(5n), [found(1, 5n, 'aa'), none(2, 5n)], 'examine'],
    ['the found vote is of an older height', ballot(5n), [{ ...none(1, 4n), found: vote(1, 5n, 'aa') }], 'originate'],
    ['its disk is blank', ballot(5n, undefined, 9n), [none(1, 5n)], 'wait'],
  ])('%s', (_what, own, heard, kind) => expect(nextStep(own, heard).kind).toBe(kind));

  test('a found vote that it refuses: it hears both others before it makes a block', () => {
    const refused = new Set(['aa'.repeat(32)]);
    expect(nextStep(ballot(5n), [found(1, 5n, 'aa')], refused)).toEqual({ kind: 'wait', why: 'OneSilent' });
    expect(nextStep(ballot(5n), [found(1, 5n, 'aa'), none(2, 5n)], refused).kind).toBe('originate');
    expect(nextStep(ballot(5n), [found(1, 5n, 'aa'), found(2, 5n, 'cc')], refused).kind).toBe('examine');
    expect(nextStep(ballot(5n), [found(1, 5n, 'aa'), found(2, 5n, 'cc')], new Set([...refused, 'cc'.repeat(32)]))).toEqual({
      kind: 'wait',
      why: 'TwoVotesFound',
    });
  });
});

/**
 * The proof in `voting.ts`, tried out: masters ask, answer, restart and make blocks in any order, everybody refuses everybody
 * else's block, and no more than two blocks are ever made at the height.
 */
const makers = (steps: readonly (readonly [number, number, 'ask' | 'make' | 'restart'])[]): number => {
  const masters = [0, 1, 2].map((index) => ({
    index,
    own: undefined as VotedBlock | undefined,
    none: 0,
    asked: 0,
    heard: new Map<number, Heard>(),
  }));
  for (const [x, y, what] of steps) {
    const me = masters[x]!;
    const peer = masters[y]!;
    if (what === 'restart') {
      me.heard.clear();
      me.none = 0;
    } else if (what === 'ask' && x !== y) {
      if (me.heard.size === 0) me.asked = me.none;
      if (!peer.own) peer.none += 1;
      me.heard.set(y, { master: y, decided: 0n, ...(peer.own && { found: peer.own }) });
    } else if (what === 'make') {
      const own = ballot(0n, me.own);
      const refused = new Set([...me.heard.values()].flatMap((h) => (h.found ? [h.found.head.block] : [])));
      const step = nextStep(own, [...me.heard.values()], refused);
      if (step.kind === 'originate' && mayOriginate(own, me.asked, me.none)) me.own = vote(x, 1n, `0${x}`);
      me.heard.clear();
    }
  }
  return masters.filter((m) => m.own).length;
};
test('no order of asking, answering, restarting and making leads to three blocks at a height', () => {
  const master = fc.integer({ min: 0, max: 2 });
  const step = fc.tuple(master, master, fc.constantFrom('ask' as const, 'ask' as const, 'make' as const, 'restart' as const));
  const orders = fc.array(step, { minLength: 6, maxLength: 24 });
  fc.assert(
    fc.property(orders, (steps) => {
      expect(makers(steps)).toBeLessThanOrEqual(2);
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  ['unknown until both others were heard', [none(1, 0n)], undefined],
  ['a new group has none', [none(1, 0n), none(2, 0n)], 0n],
  ['one above what was decided', [none(1, 7n), none(2, 5n)], 8n],
  ['one above what was voted at', [found(1, 7n, 'aa'), none(2, 5n)], 9n],
])('the bar after a lost disk: %s', (_what, heard, bar) => expect(barAfterBlank(heard)).toBe(bar));

test.each([
  ['before the parent', 999, 1_000, 5_000, false, 'TimeBeforeParent'],
  ['within the bound', 5_400, 1_000, 5_000, false, undefined],
  ['ahead of the clock', 5_501, 1_000, 5_000, false, 'TimeOutOfBound'],
  ['ahead, and proposed again', 5_501, 1_000, 5_000, true, 'TimeOutOfBound'],
  ['long ago', 1_000, 1_000, 5_000, false, 'TimeOutOfBound'],
  ['long ago, and proposed again', 1_000, 1_000, 5_000, true, undefined],
  ['as the parent, which is ahead of this clock', 6_000, 6_000, 5_000, false, undefined],
])('T5: a time %s', (_what, time, parent, clock, again, code) => expect(timeFault(time, parent, clock, 500, again)?.code).toBe(code));
