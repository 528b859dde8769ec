/** The agreement's records as bytes: a canonical header and, beside it, a block. Strict: what does not read back is damage. */
import { z } from 'zod';
import { decodeCanonicalAs, encodeCanonical, type Certificate, type Head } from '@scs/protocol';
import type { Body, Kept, Message, Reading, Ui } from '../../messages.ts';
import type { Roster } from '../../roster.ts';
import { certificate, digest, head, intentBody, keptMessage, readingOf, streamHeader, streamMessage, uiOf } from '../wire-codec.ts';

const header = z.discriminatedUnion('kind', [
  /** A formation was opened: what was said in the one before is of no use. */
  z.strictObject({ kind: z.literal('formation'), tag: z.string().max(64) }),
  z.strictObject({ kind: z.literal('intent'), key: digest, body: intentBody }),
  /** As it was sent. */
  z.strictObject({ kind: z.literal('stream'), message: streamMessage }),
  /** With what its reading rested on. */
  z.strictObject({ kind: z.literal('kept'), message: keptMessage }),
  /** The intent before has got this UI: it is a message, and stored once. */
  z.strictObject({ kind: z.literal('said'), ui: uiOf, reading: z.exactOptional(readingOf) }),
  z.strictObject({ kind: z.literal('truncate'), key: digest, counter: z.int().min(0) }),
  z.strictObject({ kind: z.literal('vote'), head }),
  /** Without the block where a message before holds it. */
  z.strictObject({ kind: z.literal('certified'), certificate }),
  z.strictObject({
    kind: z.literal('roster'),
    roster: z.array(z.object({ master: z.int().min(0).max(2), key: digest, from: z.bigint(), to: z.bigint().optional() }).strict()),
  }),
]);
export type RecordHeader =
  | { readonly kind: 'formation'; readonly tag: string }
  | { readonly kind: 'intent'; readonly key: string; readonly body: Body }
  | { readonly kind: 'stream'; readonly message: Pick<Message, 'body' | 'ui'> }
  | { readonly kind: 'kept'; readonly message: Pick<Kept, 'body' | 'ui' | 'reading'> }
  | { readonly kind: 'said'; readonly ui: Ui; readonly reading?: Reading }
  | { readonly kind: 'truncate'; readonly key: string; readonly counter: number }
  | { readonly kind: 'vote'; readonly head: Head }
  | { readonly kind: 'certified'; readonly certificate: Certificate }
  | { readonly kind: 'roster'; readonly roster: Roster };
export interface JournalRecord {
  readonly header: RecordHeader;
  readonly bytes?: Uint8Array;
}
const LENGTH_BYTES = 4;

/** zod gives an absent `to` as possibly undefined. */
const withoutVoid = (said: z.infer<typeof header>): RecordHeader =>
  said.kind === 'roster'
    ? { kind: 'roster', roster: said.roster.map(({ to, ...identity }) => (to === undefined ? identity : { ...identity, to })) }
    : said;

/** A header that is encoded already is taken as it is. */
export const encodeRecord = (said: RecordHeader | Uint8Array, bytes?: Uint8Array): Uint8Array => {
  const encoded = said instanceof Uint8Array ? said : encodeCanonical(said);
  const record = Buffer.allocUnsafe(LENGTH_BYTES + encoded.length + (bytes?.length ?? 0));
  record.writeUInt32BE(encoded.length);
  record.set(encoded, LENGTH_BYTES);
  if (bytes) record.set(bytes, LENGTH_BYTES + encoded.length);
  return record;
};

export const encodeMessageRecord = (message: Kept): Uint8Array => {
  const { bytes, ...said } = message;
  return encodeRecord(said.reading ? { kind: 'kept', message: said } : streamHeader(message), bytes);
};

/** Throws for anything that `encodeRecord` did not make. */
export const decodeRecord = (record: Uint8Array): JournalRecord => {
  const length = new DataView(record.buffer, record.byteOffset).getUint32(0);
  const rest = record.subarray(LENGTH_BYTES + length);
  return {
    header: decodeCanonicalAs((value) => withoutVoid(header.parse(value)), record.subarray(LENGTH_BYTES, LENGTH_BYTES + length)),
    ...(rest.length > 0 ? { bytes: Uint8Array.from(rest) } : {}),
  };
};
