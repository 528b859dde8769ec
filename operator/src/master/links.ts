/** The links that this master hands on: those of its genesis file, and the one with which its own generation ends (rules G5, P5). */
import {
  appointedBy,
  committeeKey,
  committeeOf,
  handoverKey,
  isReplacement,
  successionOf,
  type Genesis,
  type ReplacementLink,
  type Succession,
} from '@scs/protocol';
import type { Log } from './log/log.ts';

/** Of the last block of the generation; undefined before it is certified. */
const ownLink = (log: Pick<Log, 'state' | 'leaf'>, generation: bigint): ReplacementLink | undefined => {
  const handover = log.state().get('succession', String(generation));
  const [leaf, committee] = [log.leaf(handoverKey(generation)), log.leaf(committeeKey(generation))];
  if (!handover || !leaf || !committee || leaf.certificate.head.height !== handover.last) return undefined;
  const { head, votes } = leaf.certificate;
  return { handover, certificate: { head, votes: [...votes] }, path: [...leaf.siblings], committeePath: [...committee.siblings] };
};

export const linksOf = (genesis: Genesis, log: Pick<Log, 'state' | 'leaf'>): Succession => {
  const own = ownLink(log, committeeOf(genesis).generation + 1n);
  return [...successionOf(genesis).links, ...(own ? [own] : [])];
};

/** What the chain has to be told before anything that this generation certified; in order. */
export const replacementsOf = (genesis: Genesis): readonly ReplacementLink[] =>
  successionOf(genesis)
    .links.filter(isReplacement)
    .toSorted((a, b) => Number(appointedBy(a) - appointedBy(b)));
