/** The agreement's chain from what the log has restored: no block is applied again (rule X1: the stored state has the certified root). */
import { encodeBlock, type Certificate } from '@scs/protocol';
import type { Disk } from '../../log/disk.ts';
import type { Replica } from '../../log/replica.ts';
import type { Chain, Tip } from '../chain.ts';
import type { Remembered } from '../recover.ts';
import type { Roster } from '../roster.ts';
import type { AgreementStore } from './agreement-store.ts';

/** Heights whose digests the agreement may still be asked for. */
const KEPT = 512n;

export interface ChainOptions {
  readonly replica: Replica;
  readonly disk: Disk;
  readonly genesis: string;
  readonly generation: bigint;
  readonly checkpointEvery: number;
  readonly roster: Roster;
}

export const certifiedTip = ({ replica, genesis, generation }: Pick<ChainOptions, 'replica' | 'genesis' | 'generation'>): Tip => {
  const certificate = replica.certificate();
  const records = replica.state();
  const block = replica.block(replica.height());
  if (!certificate || !block) {
    const head = { genesis, generation, height: 0n, stateRoot: Buffer.from(records.root()).toString('hex'), block: genesis };
    return { head, bytes: new Uint8Array(), time: replica.time(), records };
  }
  return { head: certificate.head, bytes: encodeBlock(block), time: block.time, records, certificate };
};

export const chainAtStart = (o: ChainOptions): Chain => {
  const certified = certifiedTip(o);
  const { height } = certified.head;
  const from = height > KEPT ? height - KEPT : 1n;
  const digests = new Map<bigint, string>([[0n, o.genesis]]);
  const marks = new Map<bigint, Certificate>();
  for (const { certificate } of o.disk.blocks(from, Number(KEPT) + 1)) {
    digests.set(certificate.head.height, certificate.head.block);
    if (certificate.head.height % BigInt(o.checkpointEvery) === 0n) marks.set(certificate.head.height, certificate);
  }
  const whole = o.disk.wholeFrom();
  const floor = whole === 0n ? height : whole - 1n;
  return { certified, decided: [], digests, marks, roster: o.roster, snapshots: [certified], floor };
};

export interface StartOptions extends ChainOptions {
  readonly store: AgreementStore;
  /** Of the formation that is open. */
  readonly base: { readonly height: bigint; readonly block: string } | undefined;
}
/** All that the agreement goes on from. Throws DiskError. */
export const rememberedAtStart = ({ store, base, ...o }: StartOptions): Remembered => {
  const tip = certifiedTip(o);
  const intent = store.intent();
  return {
    base: base ? { ...tip, head: { ...tip.head, ...base } } : tip,
    roster: o.roster,
    chain: chainAtStart(o),
    blocks: [],
    messages: store.messages(),
    parts: store.parts(),
    anchors: store.anchors(),
    votes: [],
    ...(intent ? { intent } : {}),
  };
};
