/** What the journal's records come to: kept in memory as they are added, and put together from them at a start. */
import { digest } from '@scs/protocol';
import type { Certificate, Head } from '@scs/protocol';
import type { Kept } from '../../messages.ts';
import type { Roster } from '../../roster.ts';
import type { Intent } from '../../state.ts';
import type { JournalRecord } from './record.ts';

export interface Unwritten {
  readonly bytes: Uint8Array;
  readonly certificate: Certificate;
}

export class Mirror {
  /** Of the formation whose messages these are. */
  tag = '';
  intent: { readonly key: string; readonly intent: Intent } | undefined;
  roster: Roster | undefined;
  readonly anchors = new Map<string, number>();
  readonly #messages = new Map<string, Map<number, Kept>>();
  /** Digests of blocks that lie beside these messages. */
  readonly #blocks = new Set<string>();

  /** Another formation: nothing said in the one before is of use. */
  enter(tag: string): void {
    this.tag = tag;
    this.intent = undefined;
    this.roster = undefined;
    this.anchors.clear();
    this.#messages.clear();
    this.#blocks.clear();
  }
  message(message: Kept): void {
    const { key, counter } = message.ui;
    const of = this.#messages.get(key) ?? new Map<number, Kept>();
    this.#messages.set(key, of.set(counter, message));
    if (message.body.kind === 'prepare') this.#blocks.add(message.body.block);
  }
  truncate(key: string, counter: number): void {
    this.anchors.set(key, counter);
    const of = this.#messages.get(key);
    for (const [at, { body }] of of ?? []) {
      if (at >= counter) continue;
      of?.delete(at);
      if (body.kind === 'prepare') this.#blocks.delete(body.block);
    }
  }
  holdsBlock(digest: string): boolean {
    return this.#blocks.has(digest);
  }
  /** By identity, then by counter. */
  messages(): readonly Kept[] {
    return [...this.#messages.values()].flatMap((of) => [...of.values()].toSorted((a, b) => a.ui.counter - b.ui.counter));
  }
}

export interface Restored {
  readonly mirror: Mirror;
  readonly votes: readonly Head[];
  readonly blocks: readonly Unwritten[];
}
/** Throws for records that contradict each other. */
export const restore = (records: Iterable<JournalRecord>): Restored => {
  const mirror = new Mirror();
  const votes: Head[] = [];
  const blocks: Unwritten[] = [];
  const seen = new Map<string, Uint8Array>();
  const note = (message: Kept): void => {
    if (message.body.kind === 'prepare' && message.bytes) seen.set(message.body.block, message.bytes);
    mirror.message(message);
  };
  for (const { header, bytes } of records) {
    const beside = bytes ? { bytes } : {};
    switch (header.kind) {
      case 'formation':
        mirror.enter(header.tag);
        break;
      case 'intent':
        mirror.intent = { key: header.key, intent: { body: header.body, ...beside } };
        break;
      case 'stream':
      case 'kept':
        note({ ...header.message, ...beside });
        break;
      case 'said': {
        if (mirror.intent?.key !== header.ui.key) throw new RangeError('a UI without its message');
        note({ ...mirror.intent.intent, ui: header.ui, ...(header.reading ? { reading: header.reading } : {}) });
        break;
      }
      case 'truncate':
        mirror.truncate(header.key, header.counter);
        break;
      case 'vote':
        votes.push(header.head);
        break;
      case 'certified': {
        const block = bytes ?? seen.get(header.certificate.head.block);
        if (!block || digest('block', block) !== header.certificate.head.block) throw new RangeError('a certificate without its block');
        blocks.push({ bytes: block, certificate: header.certificate });
        break;
      }
      case 'roster':
        mirror.roster = header.roster;
    }
  }
  return { mirror, votes, blocks };
};
