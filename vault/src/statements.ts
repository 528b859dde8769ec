/**
 * What the Vault tells the masters, signed by its key with the journal's present head (rule B8). A statement that another one of
 * ours overtook (JournalBehind) is signed again with the head of now: masters compare statements without it.
 */
import { signStatement, type Command, type ReleaseReceipt, type VaultAnswer } from '@scs/protocol';
import type { MastersPort, Submitted } from '@scs/proto';
import type { JournalHead } from './store/journal.ts';
import type { VaultStore } from './store/vault-store.ts';

export interface Speaker {
  readonly store: VaultStore;
  readonly masters: Pick<MastersPort, 'submit'>;
  readonly genesisDigest: string;
}
const MOST_OVERTAKEN = 16;

const say = async (speaker: Speaker, signal: AbortSignal | undefined, sign: (journal: JournalHead) => Command): Promise<Submitted> => {
  for (let overtaken = 1; ; overtaken++) {
    const reply = await speaker.masters.submit(sign(await speaker.store.journal()), signal ? { signal } : {});
    if (reply.ok || reply.code !== 'JournalBehind' || overtaken >= MOST_OVERTAKEN) return reply;
  }
};

type Given = VaultAnswer['answer'];
export type Answer = Exclude<Given, { kind: 'reserved' }> | Omit<Extract<Given, { kind: 'reserved' }>, 'journal'>;

/** Throws MastersUnavailable. */
export const sendAnswer = (speaker: Speaker, task: string, answer: Answer, signal?: AbortSignal): Promise<Submitted> =>
  say(speaker, signal, (journal) => {
    const given: Given = answer.kind === 'reserved' ? { ...answer, journal } : answer;
    const statement: VaultAnswer = { task, vault: speaker.store.vault, answer: given };
    const signature = signStatement(speaker.store.keys.signSeed, 'vault.answer', speaker.genesisDigest, statement);
    return { type: 'vault.answer', statement, signature };
  });

/** B3. Throws MastersUnavailable. */
export const sendReceipt = (speaker: Speaker, unsigned: Omit<ReleaseReceipt, 'journal'>, signal?: AbortSignal): Promise<Submitted> =>
  say(speaker, signal, (journal) => {
    const receipt: ReleaseReceipt = { ...unsigned, journal };
    return {
      type: 'slice.release',
      receipt,
      signature: signStatement(speaker.store.keys.signSeed, 'slice.release', speaker.genesisDigest, receipt),
    };
  });
