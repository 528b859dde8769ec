/**
 * Retransmission and state transfer (MinBFT sections 4.2 and 4.3): each master tells the others how far it is and is sent what it
 * lacks, by whoever has it. All of it proves itself: stream messages by their UI, blocks by their certificate, votes by their key, a
 * snapshot's parts by the certified root (`fetch.ts`).
 */
import { passOnSuspects } from './decide.ts';
import { fetchingFrom, offer } from './fetch.ts';
import type { Status } from './messages.ts';
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

export const answerStatus = (turn: Turn, from: number, status: Status): void => {
  const { state } = turn;
  let left = MESSAGES_A_REPLY;
  for (const stream of state.streams.values()) {
    const next = status.next.slice(0, 16).find(({ key }) => key === stream.key)?.counter ?? 1;
    for (const message of stream.tail) {
      if (message.ui.counter < next || left === 0) continue;
      left -= 1;
      turn.out.push({ kind: 'send', to: from, wire: { kind: 'stream', message } });
    }
  }
  sendVotes(turn, from, status.certified);
  if (offer(turn, from, status)) return;
  if (status.certified < state.chain.certified.head.height) turn.out.push({ kind: 'send-blocks', to: from, from: status.certified + 1n });
};
