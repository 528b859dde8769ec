/**
 * The trusted counter as its callers see it (MinBFT section 3, USIG; rules N2, N7). The counter itself lives in an attested
 * enclave; `Counter` is what the driver of the state machine talks to.
 */
import { concat, fromHex, utf8, verifySignature } from '@scs/protocol';
import type { Ui } from './messages.ts';

/**
 * Port. Each start of the enclave is another identity: another key, and a counter from 1. The same digest gets the same UI again
 * until the caller has passed a checkpoint, so that a reply lost on its way mutes nobody.
 */
export interface Counter {
  readonly key: string;
  createUi(digest: string): Promise<Ui>;
  /** The last value given out; 0 before the first. */
  last(): Promise<number>;
}

const counterBytes = (counter: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(counter));
  return bytes;
};

/** What the counter's Ed25519 key signs: the tag keeps it apart from every durable key's uses. */
export const uiMessage = (counter: number, digest: string): Uint8Array =>
  concat(utf8('SCS::usig::v1'), counterBytes(counter), fromHex(digest));

/** A counter of zero is never valid. False for anything malformed. */
export const uiHolds = (ui: Ui, digest: string): boolean =>
  Number.isSafeInteger(ui.counter) && ui.counter > 0 && verifySignature(ui.key, uiMessage(ui.counter, digest), ui.signature);
