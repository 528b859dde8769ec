/**
 * Journal heads (rule B8, as far as masters can see): each signed statement of a Vault names its journal's sequence and hiding
 * head. One behind the last decided, or another head at the same sequence, comes from a restored or forked Vault.
 */
import type { JournalRecord } from '../state.ts';
import { fault, type Fault } from './context.ts';
import type { Draft } from './draft.ts';

export const journalFault = (draft: Draft, vault: string, next: JournalRecord): Fault | undefined => {
  const last = draft.get('journal', vault);
  if (!last || next.sequence > last.sequence) return undefined;
  if (next.sequence === last.sequence && next.head === last.head) return undefined;
  return fault('JournalBehind', `the journal of ${vault} stands at ${last.sequence}; a statement at ${next.sequence} doesn't extend it`);
};
export const noteJournal = (draft: Draft, vault: string, { sequence, head }: JournalRecord): void => {
  const last = draft.get('journal', vault);
  if (last?.sequence !== sequence) draft.put('journal', vault, { sequence, head });
};
