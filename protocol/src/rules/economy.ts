/**
 * What the masters promise out of the chain's pots, leaf by leaf, and what they have read of it (rules K6, K7, G3, N3). A leaf is
 * decided once, numbered in the line of its kind, and lands when the chain says so: never a promise beyond what was read to be there.
 */
import type { EconomyReading } from '../commands.ts';
import { decodeDividendRoot } from '../dividends.ts';
import { leafKinds, type LeafKind } from '../leaf-kinds.ts';
import type { EconomyRecord, SettlementRecord } from '../state.ts';
import { fault, type Fault } from './context.ts';
import type { Draft, Readable } from './draft.ts';

const NOTHING: EconomyRecord = {
  minted: 0n,
  mintedEpoch: 0,
  unpromised: 0n,
  earmarked: 0n,
  rewarded: 0n,
  next: { 'node-rewards': 1n, dividends: 1n, slash: 1n, governance: 1n },
  landed: { 'node-rewards': 0n, dividends: 0n, slash: 0n, governance: 0n },
};
export const economyIn = (state: Readable): EconomyRecord => state.get('economy') ?? NOTHING;
export const leafName = (kind: LeafKind, number: bigint): string => `${kind}-${number}`;
export const bondName = (role: 'master' | 'enterprise', holder: string): string => `${role}/${holder}`;
export const bondedBy = (state: Readable, role: 'master' | 'enterprise', holder: string): bigint =>
  state.get('bond', bondName(role, holder))?.bonded ?? 0n;

/** P1: the first of a line is on its way to the chain; the others wait behind it. */
export const lineState = (number: bigint, landed: bigint): SettlementRecord['state'] =>
  number === landed + 1n ? 'finalizing' : 'candidate_ready';

/** Decides the next leaf of a kind. `bytesOf` gives its BCS for the number. */
export const decideLeaf = (draft: Draft, kind: LeafKind, epoch: number, bytesOf: (number: bigint) => Uint8Array): bigint => {
  const economy = economyIn(draft);
  const number = economy.next[kind];
  draft.putRaw(`${kind}/${number}`, bytesOf(number));
  draft.put('settlement', leafName(kind, number), { number, leaf: kind, epoch, tasks: [], state: lineState(number, economy.landed[kind]) });
  draft.put('economy', '', { ...economy, next: { ...economy.next, [kind]: number + 1n } });
  return number;
};

/** Moves the records of a line on: those up to `landed` are final, the one behind them is on its way. */
export const moveLine = (draft: Draft, nameOf: (number: bigint) => string, from: bigint, landed: bigint): void => {
  for (let number = from; number <= landed; number++) {
    const record = draft.must('settlement', nameOf(number));
    draft.put('settlement', nameOf(number), { ...record, state: 'finalized' });
  }
  const next = draft.get('settlement', nameOf(landed + 1n));
  if (next?.state === 'candidate_ready') draft.put('settlement', nameOf(landed + 1n), { ...next, state: 'finalizing' });
};

/** A reading never goes back, and no leaf lands that wasn't decided. */
export const economyFault = (draft: Draft, { minted, landed, bonds }: EconomyReading): Fault | undefined => {
  const known = economyIn(draft);
  if (minted < known.minted) return fault('ReadingBehind', `${known.minted} base units are decided to be minted`);
  for (const kind of leafKinds) {
    if (landed[kind] < known.landed[kind]) return fault('ReadingBehind', `${kind} ${known.landed[kind]} is decided to have landed`);
    if (landed[kind] >= known.next[kind]) return fault('BatchMismatch', `${kind} ${landed[kind]} was not decided`);
  }
  const stranger = bonds.find(({ role, holder }) => role === 'enterprise' && !draft.get('actor', holder)?.enterprise);
  if (stranger) return fault('ActorUnknown', `${stranger.holder} is no registered enterprise`);
  const names = new Set(bonds.map(({ role, holder }) => bondName(role, holder)));
  return names.size === bonds.length ? undefined : fault('Conflicts', 'a bond is read twice');
};

/** What roots that have landed took out of the pot. */
const taken = (draft: Draft, from: bigint, landed: bigint): bigint => {
  let sum = 0n;
  for (let number = from; number <= landed; number++) sum += decodeDividendRoot(draft.state.map.get(`dividends/${number}`)!).total;
  return sum;
};

export const readEconomy = (draft: Draft, { minted, unpromised, landed, bonds }: EconomyReading): void => {
  const known = economyIn(draft);
  for (const { role, holder, bonded } of bonds) draft.put('bond', bondName(role, holder), { bonded });
  for (const kind of leafKinds)
    if (landed[kind] > known.landed[kind]) moveLine(draft, (number) => leafName(kind, number), known.landed[kind] + 1n, landed[kind]);
  const mintedEpoch = minted > known.minted ? draft.must('meta').epoch : known.mintedEpoch;
  const earmarked = known.earmarked - taken(draft, known.landed.dividends + 1n, landed.dividends);
  draft.put('economy', '', { ...known, minted, mintedEpoch, unpromised, earmarked, landed });
};
