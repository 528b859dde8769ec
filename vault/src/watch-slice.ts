/** While a slice runs (rule C2): waits until a subject of it has revoked. Only its certified enclave may ask. */
import { certifiedTask } from './certified.ts';
import { enclaveRefusal } from './enclave-check.ts';
import { refusal, type Refusal } from './refusal.ts';
import type { ReleaseContext } from './release.ts';

export type Watched = { readonly ok: true; readonly changed: boolean } | { readonly ok: false; readonly refusal: Refusal };

/** `changed` is false when `signal` aborted first. Throws MastersUnavailable and StoreError. */
export const watchSlice = async (task: string, sealKey: string, context: ReleaseContext, signal: AbortSignal): Promise<Watched> => {
  const { store, masters } = context;
  const record = await certifiedTask(masters, task);
  if (!record) return { ok: false, refusal: refusal('TaskUnknown', 'no certified task of that name asks this Vault') };
  const unfit = enclaveRefusal(record, sealKey, context, store.vault);
  if (unfit) return { ok: false, refusal: unfit };
  while (!signal.aborted) {
    // Waiting begins before the look: what is said between them is heard.
    const next = store.revocations.next(signal);
    if (await store.hasRevoked(task)) return { ok: true, changed: true };
    await next;
  }
  return { ok: true, changed: false };
};
