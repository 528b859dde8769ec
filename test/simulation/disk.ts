/** A master's disk: what was stored since the last sync is lost in a crash. */
import type { Certificate, Head } from '@scs/protocol';
import type { Chain, Tip } from '@scs/operator/master/consensus/chain.ts';
import type { Confirmation, Signed } from '@scs/operator/master/consensus/formation.ts';
import type { OpenFormation } from '@scs/operator/master/consensus/formation-step.ts';
import type { Kept } from '@scs/operator/master/consensus/messages.ts';
import type { Remembered } from '@scs/operator/master/consensus/recover.ts';
import type { Roster } from '@scs/operator/master/consensus/roster.ts';
import type { Intent, Stored } from '@scs/operator/master/consensus/state.ts';

interface Contents {
  /** Gapless. */
  blocks: { readonly bytes: Uint8Array; readonly certificate: Certificate }[];
  /** State to begin with, at or below the first of the blocks that count. */
  snapshot?: Tip;
  /** Entries of a snapshot that is being fetched. */
  readonly parts: Map<string, Uint8Array>;
  readonly messages: Map<string, Kept>;
  readonly votes: Map<bigint, Head>;
  readonly anchors: Map<string, number>;
  intent?: { readonly key: string; readonly intent: Intent };
  opened?: OpenFormation;
  confirmation?: Signed<Confirmation>;
}
const blank = (): Contents => ({ blocks: [], parts: new Map(), messages: new Map(), votes: new Map(), anchors: new Map() });

export class SimulatedDisk {
  #contents: Contents = blank();
  /** An older copy was put back. */
  tampered = false;
  /** It was erased, and no identity that began after that is admitted yet: what was promised before is not known. */
  lost = false;
  isCorrupt = false;
  #unsynced: Stored[] = [];

  store(record: Stored): void {
    this.#unsynced.push(record);
  }
  sync(): void {
    for (const record of this.#unsynced) this.#write(record);
    this.#unsynced = [];
  }
  /** Of what was not synced, only the first few survive. */
  /** True when something was lost. */
  crash(surviving: number): boolean {
    const lost = this.#unsynced.length > surviving;
    this.#unsynced = this.#unsynced.slice(0, surviving);
    this.sync();
    return lost;
  }
  /** Bytes turn: what is stored does not read back, which checksums tell (DiskCorrupt). */
  corrupt(): void {
    this.isCorrupt = true;
  }
  erase(): void {
    this.lost = true;
    this.isCorrupt = false;
    this.#contents = blank();
    this.#unsynced = [];
  }
  copy(): Contents {
    const { blocks, parts, messages, votes, anchors, ...rest } = this.#contents;
    return {
      blocks: [...blocks],
      parts: new Map(parts),
      messages: new Map(messages),
      votes: new Map(votes),
      anchors: new Map(anchors),
      ...rest,
    };
  }
  restore(contents: Contents): void {
    this.tampered = true;
    this.#contents = contents;
    this.#unsynced = [];
  }
  confirm(confirmation: Signed<Confirmation>): void {
    this.sync();
    this.#contents.confirmation = confirmation;
  }
  confirmation(): Signed<Confirmation> | undefined {
    return this.#contents.confirmation;
  }
  /** What was said in the formation before is of no use to anybody. */
  open(formation: OpenFormation): void {
    this.sync();
    const { intent: _, ...rest } = this.#contents;
    this.#contents = { ...rest, opened: formation, messages: new Map(), anchors: new Map() };
  }
  opened(): OpenFormation | undefined {
    return this.#contents.opened;
  }
  vote(height: bigint): Head | undefined {
    return this.#contents.votes.get(height);
  }
  blocks(from: bigint, most: number): Contents['blocks'] {
    const { blocks } = this.#contents;
    const at = Number(from - (blocks[0]?.certificate.head.height ?? from));
    return at < 0 ? [] : blocks.slice(at, at + most);
  }
  snapshot(): Tip | undefined {
    return this.#contents.snapshot;
  }
  /** Height below the first block. */
  floor(): bigint {
    const { blocks, snapshot } = this.#contents;
    return (blocks[0]?.certificate.head.height ?? (snapshot?.head.height ?? 0n) + 1n) - 1n;
  }
  /** Drops blocks that nobody need be sent any more. */
  prune({ snapshots, floor }: Chain): void {
    this.sync();
    const [oldest] = snapshots;
    if (!oldest || floor <= this.floor()) return;
    this.#contents.snapshot = oldest;
    this.#contents.blocks = this.#contents.blocks.filter(({ certificate }) => certificate.head.height > floor);
  }
  remembered(base: Tip, roster: Roster, chain?: Chain): Remembered {
    const { blocks, parts, messages, votes, anchors, intent } = this.#contents;
    return {
      parts: [...parts],
      base,
      anchors,
      roster,
      ...(chain ? { chain } : {}),
      blocks,
      messages: [...messages.values()],
      votes: [...votes.values()],
      ...(intent ? { intent } : {}),
    };
  }

  #top(): bigint {
    const { blocks, snapshot } = this.#contents;
    return blocks.at(-1)?.certificate.head.height ?? snapshot?.head.height ?? 0n;
  }
  #write(record: Stored): void {
    const { blocks, parts, messages, votes, anchors } = this.#contents;
    if (record.kind === 'intent') this.#contents.intent = { key: record.key, intent: record.intent };
    if (record.kind === 'message') messages.set(`${record.message.ui.key}/${record.message.ui.counter}`, record.message);
    if (record.kind === 'vote') votes.set(record.head.height, record.head);
    if (record.kind === 'certified' && record.tip.head.height === this.#top() + 1n)
      blocks.push({ bytes: record.tip.bytes, certificate: record.certificate });
    if (record.kind === 'part') for (const [key, value] of record.entries) parts.set(key, value);
    if (record.kind === 'snapshot') {
      this.#contents.snapshot = { ...record.tip, certificate: record.certificate };
      this.#contents.blocks = [];
      parts.clear();
    }
    if (record.kind === 'truncate') {
      anchors.set(record.key, record.counter);
      for (const [id, { ui }] of messages) if (ui.key === record.key && ui.counter < record.counter) messages.delete(id);
    }
  }
}
