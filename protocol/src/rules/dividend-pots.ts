/**
 * Dividends (rule K6), the masters' side: what batches set aside for a Vault's subjects gathers in that Vault's pot of the epoch; when
 * the epoch closes, the pot is fixed, and the Vault may publish a root over it. All figures follow from charges: who was in a result,
 * or how many were charged, changes none of them. What roots didn't pay out on the chain flows into later pots.
 */
import type { Command } from '../commands.ts';
import { encodeDividendRoot } from '../dividends.ts';
import { economyOf, type Economy } from '../economy.ts';
import { statementFits } from '../evidence.ts';
import { distribute } from '../settlement.ts';
import type { PotRecord } from '../state.ts';
import { fault, policyOf, type Fault, type RuleContext } from './context.ts';
import type { Draft } from './draft.ts';
import { decideLeaf, economyIn } from './economy.ts';

type Publish = Extract<Command, { type: 'vault.dividends' }>;
const potsIndex = (epoch: number): string => `pots/${epoch}`;
export const potName = (epoch: number, vault: string): string => `${epoch}/${vault}`;

/** So much of a task's dividends is each delivered Vault's; what doesn't divide stays in the chain's pot. */
export const shareOfVault = (dividends: bigint, delivered: number): bigint => (delivered === 0 ? 0n : dividends / BigInt(delivered));

/** Leaves under a Vault's root, by policy alone: twice the subjects of the largest band, so that half of them can be blinds. */
export const leavesUnderRoot = ({ dividends }: Pick<Economy, 'dividends'>): bigint => 2n ** BigInt(Math.max(...dividends.subjectBits) + 1);
/** Most subjects that a Vault of this size band has: what its rate is reckoned by. */
export const subjectsOfBand = ({ dividends }: Pick<Economy, 'dividends'>, sizeBand: number): bigint =>
  2n ** BigInt(dividends.subjectBits[Math.min(sizeBand, dividends.subjectBits.length - 1)]!);

/** A batch is decided: its shares, by Vault, go to the pots of the open epoch. */
export const fillPots = (draft: Draft, shares: ReadonlyMap<string, bigint>): void => {
  const { epoch } = draft.must('meta');
  const index = draft.get('index', potsIndex(epoch)) ?? [];
  const fresh = [...shares.keys()].filter((vault) => !draft.get('pot', potName(epoch, vault)));
  let sum = 0n;
  for (const [vault, share] of shares) {
    const known = draft.get('pot', potName(epoch, vault));
    draft.put('pot', potName(epoch, vault), { epoch, vault, amount: (known?.amount ?? 0n) + share });
    sum += share;
  }
  if (fresh.length > 0) draft.put('index', potsIndex(epoch), [...index, ...fresh].toSorted());
  const economy = economyIn(draft);
  if (sum > 0n) draft.put('economy', '', { ...economy, earmarked: economy.earmarked + sum });
};

/** The epoch closes: pots are fixed, with their part of what the chain holds for no one. */
export const closePots = (draft: Draft, epoch: number): void => {
  const vaults = draft.get('index', potsIndex(epoch)) ?? [];
  if (vaults.length === 0) return;
  draft.drop('index', potsIndex(epoch));
  const economy = economyIn(draft);
  const pots = vaults.map((vault) => draft.must('pot', potName(epoch, vault)));
  const surplus = economy.unpromised > economy.earmarked ? economy.unpromised - economy.earmarked : 0n;
  const extra = new Map(
    distribute(
      surplus,
      pots.map(({ vault, amount }) => ({ account: vault, weight: amount })),
    ).map(({ account, amount }) => [account, amount]),
  );
  for (const pot of pots) draft.put('pot', potName(epoch, pot.vault), { ...pot, total: pot.amount + (extra.get(pot.vault) ?? 0n) });
  if (surplus > 0n) draft.put('economy', '', { ...economy, earmarked: economy.earmarked + surplus });
};

const publishedBefore = (pot: PotRecord, { vault, epoch, root }: Publish['statement']): Fault =>
  pot.root === root
    ? fault('AlreadyDecided', `the dividends of ${vault} for epoch ${epoch} are decided`)
    : fault('Conflicts', `other dividends of ${vault} for epoch ${epoch} are decided`);

/** vault.dividends: the root that a Vault signs for a closed epoch becomes the next leaf `dividends/<n>`, its total the pot. */
export const publishDividends = (draft: Draft, { statement, signature }: Publish, ctx: RuleContext): Fault | undefined => {
  const { vault, epoch, root } = statement;
  const record = draft.get('vault', vault);
  if (!record) return fault('VaultUnknown', `there is no Vault ${vault}`);
  if (!statementFits(record.publicKey, 'vault.dividends', ctx.genesisDigest, statement, signature))
    return fault('SignatureInvalid', `the dividends are not signed by ${vault}`);
  const pot = draft.get('pot', potName(epoch, vault));
  if (!pot) return fault('NotDue', `${vault} has no pot of epoch ${epoch}`);
  if (pot.root !== undefined) return publishedBefore(pot, statement);
  const { total } = pot;
  if (total === undefined || total === 0n) return fault('NotDue', `the pot of ${vault} for epoch ${epoch} is not fixed, or empty`);
  const economy = economyOf(policyOf(ctx.genesis, draft.must('meta').policyVersion));
  const terms = {
    least: economy.stakes.producer,
    since: BigInt(Math.floor(draft.must('epoch', String(epoch)).start / 1000)),
    expiresAt: BigInt(Math.floor(ctx.time / 1000)) + economy.dividends.claimSeconds,
  };
  const count = leavesUnderRoot(economy);
  const number = decideLeaf(draft, 'dividends', epoch, (n) => encodeDividendRoot({ number: n, root, count, total, ...terms }));
  draft.put('pot', potName(epoch, vault), { ...pot, root, number });
  return undefined;
};
