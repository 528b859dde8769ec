/**
 * MinBFT for three masters as a pure function (Veronese, Correia, Bessani, Lung, Verissimo: "Efficient Byzantine Fault-Tolerance",
 * IEEE TC 62(1), 2013; rules N1, N2, N7, N8, G4, T5). Network, disk, clock, counter and the world are with whoever calls it.
 *
 *   section 3    USIG                       usig.ts, messages.ts
 *   section 4.2  prepare, commit, order     stream.ts, read-stream.ts, receive.ts, prepare.ts, commit.ts, decide.ts, pool.ts
 *   section 4.3  checkpoints, transfer      checkpoint.ts, receive.ts (anchors), transfer.ts, fetch.ts, recover.ts
 *   section 4.4  view change                view-change.ts, plan.ts, new-view.ts
 *   not in it    identities that end (N8)   roster.ts; forming anew (N9) formation.ts; certificates (G4) decide.ts
 *
 * What a caller owes: outputs are carried out in their order; a `store` is durable before anything after it; one `create-ui` is
 * answered before the next is asked; `sign` is deterministic.
 */
import { blockOf } from './chain.ts';
import { checkpointDue } from './checkpoint.ts';
import { commitDue } from './commit.ts';
import { certifyVoted, decideCommitted, takeCertified, takeVote } from './decide.ts';
import type { Environment } from './environment.ts';
import { bodyDigest, type Message, type Wire } from './messages.ts';
import { sendPart, takeOffer, takePart, watchFetch } from './fetch.ts';
import { newViewDue } from './new-view.ts';
import { dropDecided, dropUntrue, sweepPool, takeCommand } from './pool.ts';
import { prepareDue } from './prepare.ts';
import { forgetPast, readStreams, receive, speaks, truncate, watchStreams } from './receive.ts';
import { broadcast, type Input, type Intent, type Output, set, type State, type Turn } from './state.ts';
import { with1 } from './stream.ts';
import { answerStatus, sendStatus } from './transfer.ts';
import { moved, noteNeglect, takeRequest, viewChangeDue, watchPrimary } from './view-change.ts';

/** What this master has to say next, the weightiest first; one message at a time waits for its UI. */
const nextIntent = (turn: Turn): Intent | undefined =>
  checkpointDue(turn.env, turn.state) ?? viewChangeDue(turn.state) ?? newViewDue(turn) ?? commitDue(turn) ?? prepareDue(turn);

const speak = (turn: Turn): void => {
  const { own } = turn.state;
  if (own.intent || own.muted !== undefined || !speaks(turn)) return;
  const intent = nextIntent(turn);
  if (!intent) return;
  set(turn, { own: { ...own, intent } });
  turn.out.push({ kind: 'store', record: { kind: 'intent', key: own.key, intent } }, askUi(turn.env, intent));
};

export const askUi = (env: Environment, { body }: Intent): Output => ({ kind: 'create-ui', digest: bodyDigest(env.formation, body) });

/** The own message has its place in the stream: it is read like anybody's, then sent. */
const takeUi = (turn: Turn, ui: Message['ui']): void => {
  const { key, intent } = turn.state.own;
  if (!intent || ui.key !== key) return;
  const message: Message = { ...intent, ui };
  set(turn, { own: { key } });
  receive(turn, message);
  readStreams(turn);
  if ((turn.state.streams.get(key)?.next ?? 0) <= ui.counter) {
    const why = turn.state.streams.get(key)?.fault ?? 'its own message does not follow';
    set(turn, { own: { key, muted: why } });
    turn.out.push({ kind: 'condition', code: 'StreamFault', message: `own stream: ${why}` });
    return;
  }
  if (intent.body.kind === 'view-change') moved(turn);
  broadcast(turn, { kind: 'stream', message });
};

const takeWire = (turn: Turn, from: number, wire: Wire): void => {
  switch (wire.kind) {
    case 'stream':
      return receive(turn, wire.message);
    case 'vote':
      return takeVote(turn, wire.head, wire.vote);
    case 'command':
      return takeCommand(turn, wire.bytes, from);
    case 'request-view':
      return takeRequest(turn, from, wire.view);
    case 'certified':
      return takeCertified(turn, wire.bytes, wire.certificate);
    case 'status':
      return answerStatus(turn, from, wire);
    case 'snapshot':
      return takeOffer(turn, from, wire.bytes, wire.certificate);
    case 'want-part':
      return sendPart(turn, from, wire.height, wire.prefix);
    case 'part':
      return takePart(turn, from, wire.height, wire.prefix, wire.part);
  }
};

const takeVerdict = (turn: Turn, { block, fits, command }: Extract<Input, { kind: 'judged' }>): void => {
  const { draft } = turn.state;
  set(turn, { judged: with1(turn.state.judged, block, fits ? 'fits' : 'refused') });
  if (fits || draft?.digest !== block) return;
  const named = command === undefined ? undefined : draft.block.commands[command];
  dropUntrue(turn, named ? [named] : draft.block.commands);
};

const take = (turn: Turn, input: Input): void => {
  switch (input.kind) {
    case 'message':
      return takeWire(turn, input.from, input.wire);
    case 'ui':
      return takeUi(turn, input.ui);
    case 'judged':
      return takeVerdict(turn, input);
    case 'command':
      return takeCommand(turn, input.bytes, turn.env.index);
    case 'neglected':
      return noteNeglect(turn, input.view);
    case 'tick':
      set(turn, { now: input.now });
      sweepPool(turn);
      watchStreams(turn);
      watchPrimary(turn);
      watchFetch(turn);
      return sendStatus(turn);
  }
};

/** Reads, decides and certifies until nothing changes. */
export const settle = (turn: Turn): void => {
  const before = turn.out.length;
  for (let again = true; again && turn.state.halted === undefined;) {
    again = readStreams(turn);
    again = decideCommitted(turn) || again;
    again = certifyVoted(turn) || again;
  }
  truncate(turn);
  forgetPast(turn);
  for (const output of turn.out.slice(before)) {
    const block = output.kind === 'decided' ? blockOf(output.tip.bytes) : undefined;
    if (block) dropDecided(turn, block);
  }
};

export const step = (env: Environment, state: State, input: Input): { readonly state: State; readonly outputs: readonly Output[] } => {
  if (state.halted !== undefined) return { state, outputs: [] };
  const turn: Turn = { env, state, out: [] };
  take(turn, input);
  settle(turn);
  if (turn.state.halted === undefined) speak(turn);
  return { state: turn.state, outputs: turn.out };
};
