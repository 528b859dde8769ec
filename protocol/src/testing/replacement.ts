/** A master's key replaced by governance: the command, and the link that the masters before certify. */
import type { Block } from '../block.ts';
import { headOf } from '../block.ts';
import { decideMessage, type Certificate } from '../certificate.ts';
import type { Command } from '../commands.ts';
import { hex } from '../encoding/bytes.ts';
import { signStatement } from '../evidence.ts';
import { sign } from '../keys.ts';
import { committeeKey } from '../settlement-layout.ts';
import type { State } from '../state.ts';
import { signSeat, type SeatTerms } from '../seat.ts';
import { handoverKey, type ReplacementLink } from '../succession.ts';
import { masterKey } from './keys.ts';

/** `key`: number of the new durable key; `by`: the masters who approve, with the numbers of their keys. */
export interface ReplacementOptions {
  readonly master: number;
  readonly key: number;
  readonly by?: readonly (readonly [master: number, key: number])[];
  readonly terms?: Partial<SeatTerms>;
  /** Number of the key that signs the seat. */
  readonly seatBy?: number;
}
export const replacementCommand = (
  genesis: string,
  { master, key, by = [[0, 0], [2, 2]], terms = {}, seatBy = key }: ReplacementOptions, // prettier-ignore
): Extract<Command, { type: 'master.replace' }> => {
  const statement = signSeat(masterKey(seatBy).seed, genesis, {
    generation: 1n,
    master,
    publicKey: masterKey(key).publicKey,
    tlsAuthority: 'the new authority',
    rewardAddress: `0x${'7'.repeat(64)}`,
    ...terms,
  });
  const approvals = by.map(([approver, number]) => ({
    master: approver,
    signature: signStatement(masterKey(number).seed, 'master.replace', genesis, statement),
  }));
  return { type: 'master.replace', statement, approvals };
};

/** The certificate of a block on its state, by two masters with the numbers of their keys. */
export const certificateOf = (
  block: Block,
  genesis: string,
  state: State,
  by: readonly (readonly [master: number, key: number])[],
): Certificate => {
  const head = headOf(block, genesis, hex(state.root()));
  return { head, votes: by.map(([master, key]) => ({ master, signature: sign(masterKey(key).seed, decideMessage(head)) })) };
};
export const replacementLink = (state: State, certificate: Certificate): ReplacementLink => {
  const next = certificate.head.generation + 1n;
  const pathOf = (name: string): string[] => (state.map.prove(name)?.siblings ?? []).map(hex);
  return {
    handover: state.must('succession', String(next)),
    certificate: { head: certificate.head, votes: [...certificate.votes] },
    path: pathOf(handoverKey(next)),
    committeePath: pathOf(committeeKey(next)),
  };
};
