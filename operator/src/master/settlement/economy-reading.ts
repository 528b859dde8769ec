/** The chain's economy between a node's figures and `chain.observed` (rules K6, K7, N3, G3): what to ask, what to tell, what to contest. */
import { leafKinds, type EconomyReading, type Genesis, type State } from '@scs/protocol';
import { bondedBy, economyIn } from '@scs/protocol/rules/economy.ts';
import type { EconomyFigures, EconomyQuestion } from './chain.ts';

export const economyQuestion = ({ actors, masters }: Pick<Genesis, 'actors' | 'masters'>, state: State): EconomyQuestion => {
  const { landed, next } = economyIn(state);
  const open = (kind: (typeof leafKinds)[number]) => ({ from: landed[kind] + 1n, to: next[kind] });
  return {
    enterprises: actors.filter((a) => a.role === 'enterprise').map((a) => a.address),
    masters: masters.map((m) => m.publicKey),
    open: { 'node-rewards': open('node-rewards'), dividends: open('dividends'), slash: open('slash'), governance: open('governance') },
  };
};

type Bond = EconomyReading['bonds'][number];
const bondsOf = ({ enterprises, masters }: EconomyQuestion, { bonded }: EconomyFigures): readonly Bond[] => [
  ...masters.map((holder) => ({ role: 'master' as const, holder, bonded: bonded[holder] ?? 0n })),
  ...enterprises.map((holder) => ({ role: 'enterprise' as const, holder, bonded: bonded[holder] ?? 0n })),
];

/** What to tell the log; undefined when it knows all of it. */
export const economyNews = (question: EconomyQuestion, figures: EconomyFigures, state: State): EconomyReading | undefined => {
  const known = economyIn(state);
  const bonds = bondsOf(question, figures).filter(({ role, holder, bonded }) => bondedBy(state, role, holder) !== bonded);
  const { minted, unpromised, landed } = figures;
  const same =
    bonds.length === 0 &&
    minted === known.minted &&
    unpromised === known.unpromised &&
    leafKinds.every((kind) => landed[kind] === known.landed[kind]);
  return same ? undefined : { minted, unpromised, landed, bonds };
};

/** What the reading says, or by its silence says to be as it was, that this master reads otherwise; undefined when all fits. */
export const economyDispute = (
  claimed: EconomyReading,
  question: EconomyQuestion,
  figures: EconomyFigures,
  before: State,
): string | undefined => {
  if (figures.minted !== claimed.minted) return 'so much is not minted';
  if (figures.unpromised !== claimed.unpromised) return 'another amount is in the dividend pot for no one';
  const kind = leafKinds.find((k) => figures.landed[k] !== claimed.landed[k]);
  if (kind) return `${kind} have landed otherwise`;
  const told = new Map(claimed.bonds.map(({ role, holder, bonded }) => [`${role}/${holder}`, bonded]));
  const other = bondsOf(question, figures).find(
    ({ role, holder, bonded }) => (told.get(`${role}/${holder}`) ?? bondedBy(before, role, holder)) !== bonded,
  );
  if (other) return `the bond of ${other.holder} reads otherwise`;
  const asked = new Set([...question.masters, ...question.enterprises]);
  const stranger = claimed.bonds.find(({ holder }) => !asked.has(holder));
  return stranger && `${stranger.holder} is nobody who bonds`;
};
