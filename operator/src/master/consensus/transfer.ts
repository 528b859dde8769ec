/**
 * Retransmission and state transfer (MinBFT sections 4.2 and 4.3): each master tells the others how far it is and is sent what it
 * lacks, by whoever has it. All of it proves itself: stream messages by their UI, blocks by their certificate, votes by their key, a
 * snapshot's parts by the certified root (`fetch.ts`).
 */
import { passOnSuspects } from './decide.ts';
import { fetchingFrom, offer } from './fetch.ts';
import type { Message, Status } from './messages.ts';
import { broadcast, othersOf, set, type State, type Turn } from './state.ts';

const MESSAGES_A_REPLY = 48;
const HEIGHTS_A_REPLY = 16n;
const COMMANDS_AGAIN = 4;

export const statusFor = (state: State, to: number): Status => ({
  kind: 'status',
  certified: state.chain.certified.head.height,
  fetching: fetchingFrom(state, to),
  next: [...state.streams.values()].map((s) => ({ key: s.key, counter: s.next })),
});
export const sendStatus = (turn: Turn): void => {
  const { state, env } = turn;
  if (state.now - state.statusAt < env.limits.statusEveryMs) return;
  set(turn, { statusAt: state.now });
  for (const to of othersOf(env.index)) turn.out.push({ kind: 'send', to, wire: statusFor(state, to) });
  for (const { bytes } of [...state.pool.values()].slice(0, COMMANDS_AGAIN)) broadcast(turn, { kind: 'command', bytes });
  passOnSuspects(turn);
};

const sendVotes = (turn: Turn, to: number, certified: bigint): void => {
  for (let height = certified + 1n; height <= certified + HEIGHTS_A_REPLY; height += 1n)
    for (const { head, vote } of turn.state.votes.get(height)?.values() ?? [])
      turn.out.push({ kind: 'send', to, wire: { kind: 'vote', head, vote } });
};

/**
 * Of each stream that the peer reads, an equal share: one that it can't go on in must not keep the others from it. Of a stream that it
 * doesn't name it would take nothing.
 */
const lackedBy = (state: State, { next }: Status): readonly Message[] => {
  const counters = new Map(next.map(({ key, counter }) => [key, counter]));
  const lacked = [...state.streams.values()].flatMap(({ key, tail }) => {
    const from = counters.get(key);
    const messages = from === undefined ? [] : tail.filter(({ ui }) => ui.counter >= from);
    return messages.length > 0 ? [messages] : [];
  });
  const share = Math.max(1, Math.floor(MESSAGES_A_REPLY / Math.max(1, lacked.length)));
  return lacked.flatMap((messages) => messages.slice(0, share)).slice(0, MESSAGES_A_REPLY);
};

export const answerStatus = (turn: Turn, from: number, status: Status): void => {
  const { state } = turn;
  for (const message of lackedBy(state, status)) turn.out.push({ kind: 'send', to: from, wire: { kind: 'stream', message } });
  sendVotes(turn, from, status.certified);
  if (offer(turn, from, status)) return;
  if (status.certified < state.chain.certified.head.height) turn.out.push({ kind: 'send-blocks', to: from, from: status.certified + 1n });
};
