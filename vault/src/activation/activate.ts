/**
 * Activating a kept audience (rule T1): by this Vault's operator, toward subjects who consent to marketing at that moment, in batches,
 * each subject once. Journaled and noted in the access log, where the subject sees it; nothing of it leaves toward masters or submitter.
 */
import { packNumbers } from '../journal/numbers.ts';
import type { Logger } from '../logger.ts';
import { noteAccess } from '../store/access-log.ts';
import { dueMembers, markActivated, readyAudiences, type AudienceSummary, type Member } from '../store/audiences.ts';
import { appendJournal } from '../store/journal.ts';
import type { VaultStore } from '../store/vault-store.ts';
import type { Webhook } from './webhook.ts';

export interface ActivationContext {
  readonly store: VaultStore;
  readonly webhook: Webhook;
  readonly log: Logger;
  /** Civil time in milliseconds. */
  readonly now: () => number;
}
export type Activated =
  { readonly ok: true; readonly activated: number } | { readonly ok: false; readonly code: 'AudienceUnknown'; readonly message: string };

/** A revocation counts from the next batch on. */
const BATCH = 200;
export const MAX_MESSAGE = 500;

export const audiences = ({ store, now }: Pick<ActivationContext, 'store' | 'now'>): Promise<readonly AudienceSummary[]> =>
  store.database.read((sql) => readyAudiences(sql, now()));

const noted = (task: string, members: readonly Member[], { store, now }: ActivationContext): Promise<void> =>
  store.write('activate', async (sql) => {
    const time = now();
    const numbers = Uint32Array.from(members, ({ id }) => Number(id));
    await markActivated(sql, task, BigInt(time), numbers);
    for (const { id } of members) await noteAccess(sql, { time, what: 'activated', task, account: id, by: 'operator' });
    await appendJournal(sql, 'activate', { task, time: BigInt(time), members: packNumbers(numbers) });
  });

/**
 * Sends all that is still to be sent; run again after a failure. A crash between a batch's answer and its note sends that batch again,
 * under the same idempotency key. Throws WebhookError and StoreError.
 */
export const activate = async (task: string, message: string, context: ActivationContext): Promise<Activated> => {
  const { store, webhook, log } = context;
  let activated = 0;
  for (;;) {
    const ready = await audiences(context);
    if (!ready.some((audience) => audience.task === task))
      return {
        ok: false,
        code: 'AudienceUnknown',
        message: 'this Vault keeps no audience of that task: not released, expired, or none asked for',
      };
    const members = await store.database.read((sql) => dueMembers(sql, task, BATCH));
    if (members.length === 0) return { ok: true, activated };
    await webhook.send({ vault: store.vault, task, message, subjects: members.map(({ subject }) => subject) });
    await noted(task, members, context);
    activated += members.length;
    log.info({ task }, 'a batch of an audience was activated');
  }
};
