/**
 * A master that starts again (rules N2, N7): its certified blocks, then the messages it had read, which mean what they meant then. What it
 * said is its own stream; what it was about to say it says again, and gets the same UI. A counter that is ahead of the stored stream means an old
 * disk: that identity is then silent for good, and another has to be admitted.
 */
import { type Certificate, type Entry, type Head } from '@scs/protocol';
import { type Chain, equalHeads, evaluate, type Tip, withCertified, withDecided } from './chain.ts';
import { VOTES_BELOW } from './decide.ts';
import type { Environment } from './environment.ts';
import { bodyDigest, type Kept } from './messages.ts';
import { readStored } from './receive.ts';
import type { Roster } from './roster.ts';
import { fetchAgain } from './fetch.ts';
import { askUi, settle } from './step.ts';
import { type Intent, type Output, ownStream, set, startState, type State, type Turn } from './state.ts';

export interface Remembered {
  /** The formation's base and roster. */
  readonly base: Tip;
  readonly roster: Roster;
  /** The chain as put together from a snapshot of the state; then `blocks` are not applied again. */
  readonly chain?: Chain;
  /** Certified blocks above the base, in order. */
  readonly blocks: readonly { readonly bytes: Uint8Array; readonly certificate: Certificate }[];
  readonly messages: readonly Kept[];
  /** Entries of a snapshot that was being fetched. */
  readonly parts?: readonly Entry[];
  readonly intent?: { readonly key: string; readonly intent: Intent };
  /** Last truncation of each identity. */
  readonly anchors: ReadonlyMap<string, number>;
  readonly votes: readonly Head[];
}
/** What the counter says of itself at the start. */
export interface CounterNow {
  readonly key: string;
  readonly last: number;
}

const chainOf = (env: Environment, { base, roster, blocks }: Remembered): Chain => {
  const digests = new Map([[base.head.height, base.head.block]]);
  let chain: Chain = { certified: base, decided: [], digests, marks: new Map(), roster, snapshots: [base], floor: base.head.height };
  for (const { bytes, certificate } of blocks) {
    const result = evaluate(env, chain.certified, bytes);
    if (!result.ok || !equalHeads(result.tip.head, certificate.head))
      throw new RangeError(`stored block ${certificate.head.height} does not give its certified state`);
    chain = withCertified(env, withDecided(env, chain, result.tip, result.block), certificate);
  }
  return chain;
};

/** Votes that certificates hold: the other half of what a master may yet be shown to have signed (G4). */
const votesOf = ({ blocks }: Remembered): State['votes'] =>
  new Map(
    blocks
      .slice(-Number(VOTES_BELOW))
      .map(({ certificate: { head, votes } }) => [head.height, new Map(votes.map((vote) => [vote.master, { head, vote }]))]),
  );

/** Whether the counter has given out what the disk doesn't know of; the intent accounts for one. */
const silence = (env: Environment, state: State, counter: CounterNow, intent: Intent | undefined): string | undefined => {
  const known = (ownStream(state)?.next ?? 1) - 1;
  if (counter.last > known + (intent ? 1 : 0)) return `the counter stands at ${counter.last}, the stored stream at ${known}`;
  return counter.last < known ? `the stored stream ends at ${known}, the counter at ${counter.last}` : undefined;
};

/** Reads what is stored; a block that is decided again may admit an identity whose stream is then read, too. */
const readAll = (turn: Turn, messages: readonly Kept[], anchors: Remembered['anchors']): void => {
  const byKey = new Map<string, Map<number, Kept>>();
  for (const message of messages) {
    const { key, counter } = message.ui;
    byKey.set(key, (byKey.get(key) ?? new Map<number, Kept>()).set(counter, message));
  }
  for (let again = true; again;) {
    again = false;
    for (const [key, stored] of byKey) again = readStored(turn, key, stored, anchors.get(key)) || again;
    settle(turn);
  }
};

/** The state to go on from, and the outputs to begin with. Throws RangeError when the stored blocks contradict each other. */
export const recover = (
  env: Environment,
  stored: Remembered,
  counter: CounterNow,
  now: number,
): { state: State; outputs: readonly Output[] } => {
  const base = { height: stored.base.head.height, block: stored.base.head.block };
  const turn: Turn = {
    env,
    state: { ...startState(stored.chain ?? chainOf(env, stored), base, counter.key), now, progressAt: now, votes: votesOf(stored) },
    out: [],
  };
  if (stored.parts?.length) set(turn, { fetch: fetchAgain(turn.state.chain, stored.parts) });
  set(turn, { vouches: new Map([...stored.anchors].map(([key, counter]) => [key, new Set([counter])])) });
  readAll(turn, stored.messages, stored.anchors);
  const last = stored.intent?.key === counter.key ? stored.intent.intent : undefined;
  // by its own key: the other backup's commit of the same prepare has the same body
  const said = stored.messages.some(
    (m) => last && m.ui.key === counter.key && bodyDigest(env.formation, m.body) === bodyDigest(env.formation, last.body),
  );
  const intent = said ? undefined : last;
  const muted = silence(env, turn.state, counter, intent);
  set(turn, { own: { key: counter.key, ...(intent && muted === undefined ? { intent } : {}), ...(muted === undefined ? {} : { muted }) } });
  const outputs: Output[] = [];
  if (muted !== undefined) outputs.push({ kind: 'condition', code: 'CounterAhead', message: muted });
  else if (intent) outputs.push(askUi(env, intent));
  // decisions and votes that the crash came between
  const renewed = turn.out.filter(
    (o) => o.kind === 'decided' || (o.kind === 'store' && (o.record.kind === 'certified' || o.record.kind === 'vote')),
  );
  return { state: turn.state, outputs: [...renewed, ...outputs] };
};
