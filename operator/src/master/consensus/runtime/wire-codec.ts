/**
 * What masters send each other, as bytes: a canonical header and, beside it, the block or command that it speaks of. Decoding is strict
 * and bounded: a peer's bytes give a message or nothing, never an exception.
 */
import { z } from 'zod';
import {
  Attestation,
  decodeCanonicalAs,
  decodeEntries,
  encodeCanonical,
  encodeEntries,
  MAX_BLOCK_BYTES,
  MAX_COMMAND_BYTES,
  MAX_PREFIX_BITS,
} from '@scs/protocol';
import type { FormationWire } from '../formation-step.ts';
import type { Message, Wire } from '../messages.ts';

export type PeerMessage = Wire | FormationWire;
export interface Packet {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

const MAX_HEADER_BYTES = 256 * 1024;
const NOTHING = new Uint8Array();
export const digest = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().regex(/^[0-9a-f]{128}$/);
const height = z
  .bigint()
  .min(0n)
  .max(2n ** 63n);
const view = z.int().min(0);
const counter = z.int().min(0);
const master = z.int().min(0).max(2);
const prefix = z.string().regex(new RegExp(`^[01]{0,${MAX_PREFIX_BITS}}$`));
const reference = z.strictObject({ key: digest, counter });
export const head = z.strictObject({ genesis: digest, generation: height, height, stateRoot: digest, block: digest });
const vote = z.strictObject({ master, signature });
export const certificate = z.strictObject({ head, votes: z.array(vote).max(3) });
const again = z.array(z.strictObject({ height, block: digest, vouched: z.boolean() })).max(256);
const body = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('prepare'), view, height, block: digest }),
  z.strictObject({ kind: z.literal('commit'), view, height, block: digest, prepare: reference }),
  z.strictObject({ kind: z.literal('view-change'), view }),
  z.strictObject({ kind: z.literal('new-view'), view, base: certificate.nullable(), quorum: z.tuple([reference, reference]) }),
  z.strictObject({
    kind: z.literal('checkpoint'),
    view,
    height,
    certificate,
    lead: z
      .strictObject({
        quorum: z.array(digest).max(2),
        again,
      })
      .nullable(),
    seen: z.array(reference).max(16),
  }),
]);
export const uiOf = z.strictObject({ key: digest, counter, signature });
export const streamMessage = z.strictObject({ body, ui: uiOf });
/** What a reading rested on. */
export const readingOf = z.strictObject({ again: z.exactOptional(again), unseen: z.exactOptional(z.literal(true)) });
/** As it is stored: with what its reading rested on. */
export const keptMessage = streamMessage.extend({ reading: z.exactOptional(readingOf) });
export const intentBody = body;

const statement = z.strictObject({
  value: z.strictObject({
    genesis: digest,
    generation: height,
    formation: z.int().min(1),
    master,
    key: digest,
    ended: reference.nullable(),
    certified: certificate.nullable(),
    quiet: z.boolean(),
    blank: z.boolean(),
  }),
  signature,
});
const confirmation = z.strictObject({ value: z.strictObject({ formation: z.int().min(1), master, set: digest }), signature });
export const openedFormation = z.strictObject({ statements: z.array(statement).length(3), confirmations: z.array(confirmation).length(3) });
export const ownConfirmation = confirmation;

const header = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('stream'), message: streamMessage }),
  z.strictObject({ kind: z.literal('vote'), head, vote }),
  z.strictObject({ kind: z.literal('command') }),
  z.strictObject({ kind: z.literal('request-view'), view }),
  z.strictObject({ kind: z.literal('certified'), certificate }),
  z.strictObject({ kind: z.literal('snapshot'), certificate }),
  z.strictObject({ kind: z.literal('want-part'), height, prefix }),
  z.strictObject({ kind: z.literal('part'), height, prefix, halves: z.strictObject({ left: digest, right: digest }).nullable() }),
  z.strictObject({ kind: z.literal('status'), certified: height, fetching: height, next: z.array(reference).max(64) }),
  z.strictObject({ kind: z.literal('hello'), formation: z.int().min(0), key: digest, admitted: z.boolean() }),
  z.strictObject({ kind: z.literal('statement'), statement, attestation: Attestation }),
  z.strictObject({ kind: z.literal('confirmation'), confirmation }),
  z.strictObject({ kind: z.literal('opened'), opened: openedFormation }),
]);

const MOST_STREAMS = 64;
/** Headers of stream messages: as they came in, or as they were encoded first; each is sent and stored more than once. */
const headers = new WeakMap<Message, Uint8Array>();
export const streamHeader = (message: Message): Uint8Array => {
  const known = headers.get(message);
  if (known) return known;
  const { body: said, ui } = message;
  const encoded = encodeCanonical({ kind: 'stream', message: { body: said, ui } });
  headers.set(message, encoded);
  return encoded;
};

/** The message as it goes out. */
export const encodeMessage = (message: PeerMessage): Packet => {
  switch (message.kind) {
    case 'stream':
      return { header: streamHeader(message.message), payload: message.message.bytes ?? NOTHING };
    case 'command':
      return { header: encodeCanonical({ kind: 'command' }), payload: message.bytes };
    case 'certified':
    case 'snapshot':
      return { header: encodeCanonical({ kind: message.kind, certificate: message.certificate }), payload: message.bytes };
    case 'part': {
      const { kind, height: at, prefix: below, part } = message;
      if (part.kind === 'entries')
        return { header: encodeCanonical({ kind, height: at, prefix: below, halves: null }), payload: encodeEntries(part.entries) };
      const { left, right } = part;
      return { header: encodeCanonical({ kind, height: at, prefix: below, halves: { left, right } }), payload: NOTHING };
    }
    case 'status':
      return { header: encodeCanonical({ ...message, next: message.next.slice(-MOST_STREAMS) }), payload: NOTHING };
    default:
      return { header: encodeCanonical(message), payload: NOTHING };
  }
};

/** undefined for anything that is not a message in its one spelling, or is too large. Never throws. */
export const decodeMessage = (packet: Packet): PeerMessage | undefined => {
  if (packet.header.length > MAX_HEADER_BYTES || packet.payload.length > MAX_BLOCK_BYTES) return undefined;
  try {
    const message = withPayload(
      decodeCanonicalAs((value) => header.parse(value), packet.header),
      packet.payload,
    );
    if (message?.kind === 'stream') headers.set(message.message, packet.header); // canonical, or it were none
    return message;
  } catch {
    return undefined; // a peer's rubbish is not news
  }
};

const withPayload = (said: z.infer<typeof header>, payload: Uint8Array): PeerMessage | undefined => {
  switch (said.kind) {
    case 'stream': {
      const carries = said.message.body.kind === 'prepare';
      if (carries === (payload.length === 0)) return undefined;
      return { kind: 'stream', message: carries ? { ...said.message, bytes: payload } : said.message };
    }
    case 'command':
      return payload.length > 0 && payload.length <= MAX_COMMAND_BYTES ? { kind: 'command', bytes: payload } : undefined;
    case 'part': {
      const { kind, height: at, prefix: below, halves } = said;
      if ((halves === null) === (payload.length === 0)) return undefined;
      return {
        kind,
        height: at,
        prefix: below,
        part: halves ? { kind: 'halves', ...halves } : { kind: 'entries', entries: decodeEntries(payload) },
      };
    }
    case 'certified':
    case 'snapshot':
      return payload.length > 0 ? { ...said, bytes: payload } : undefined;
    default:
      return payload.length === 0 ? said : undefined;
  }
};
