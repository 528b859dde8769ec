/** The economy of the simulated chain: bonds, minting, leaves beside batches. No part of it pays anybody; it counts. */
import { equivocationFault, type Equivocation } from '@scs/protocol/accountability.ts';
import { leafFault, type CertifiedLeaf, type Committee } from '@scs/protocol/certificate.ts';
import { decodeDividendRoot } from '@scs/protocol/dividends.ts';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { decodeNodeRewards } from '@scs/protocol/inflation.ts';
import { decodeBatch } from '@scs/protocol/settlement-layout.ts';
import { decodeSlash, penaltyOf } from '@scs/protocol/staking.ts';
import { leafKinds, type LeafKind } from '@scs/protocol/leaf-kinds.ts';
import { ChainError } from './chain.ts';
import type { EconomyFigures, EconomyQuestion } from './chain.ts';

/** What the outside does to it. */
export interface EconomyOutside {
  /** The schedule comes to owe so much more: `mintDue` mints it. Base units. */
  owe(amount: bigint): void;
  /** `holder`: an address, or a master's public key. */
  bond(holder: string, bonded: bigint): void;
  /** Leaves that have landed, in order, `<kind>/<number>`. */
  landed(): readonly string[];
  reported(): readonly Equivocation[];
}

const refuse = (reason: string): ChainError => new ChainError({ code: 'ContractRefused', reason, detail: 'simulated chain' });

/** `genesis`, `committee`: who certifies. `commit`: a version of the chain is made. */
export const simulatedEconomy = (setup: { genesis: string; committee: Committee }, commit: () => void) => {
  let [due, minted, pot, dividends] = [0n, 0n, 0n, 0n];
  const bonded = new Map<string, bigint>();
  const landed = new Set<string>();
  const reported: Equivocation[] = [];

  const take = (kind: LeafKind, value: Uint8Array): void => {
    if (kind === 'node-rewards') {
      const sum = decodeNodeRewards(value).transfers.reduce((a, { amount }) => a + amount, 0n);
      if (sum > pot) throw refuse('PotInsufficient');
      pot -= sum;
    }
    if (kind === 'slash') {
      const { offender, offence } = decodeSlash(value);
      const held = bonded.get(offender) ?? 0n;
      bonded.set(offender, held - penaltyOf(held, offence, 0).amount);
    }
    if (kind === 'dividends') {
      const { total } = decodeDividendRoot(value);
      if (total > dividends) throw refuse('PotInsufficient');
      dividends -= total;
    }
  };
  /** All of it as it is now, to be asked later. */
  const snapshot = () => {
    const then = { minted, unpromised: dividends, bonded: new Map(bonded), landed: new Set(landed) };
    return ({ enterprises, masters, open }: EconomyQuestion): EconomyFigures => {
      const last = (kind: LeafKind): bigint => {
        let number = open[kind].from;
        while (number < open[kind].to && then.landed.has(`${kind}/${number}`)) number += 1n;
        return number - 1n;
      };
      return {
        minted: then.minted,
        unpromised: then.unpromised,
        bonded: Object.fromEntries([...enterprises, ...masters].map((holder) => [holder, then.bonded.get(holder) ?? 0n])),
        landed: Object.fromEntries(leafKinds.map((kind) => [kind, last(kind)])) as EconomyFigures['landed'],
      };
    };
  };
  const land = (kind: LeafKind, number: bigint, leaf: CertifiedLeaf): void => {
    const key = `${kind}/${number}`;
    if (landed.has(key)) return;
    const fault = leafFault({ ...leaf, key }, setup.genesis, setup.committee);
    if (fault !== undefined) throw refuse(fault.code);
    take(kind, fromHex(leaf.value));
    landed.add(key);
    commit();
  };
  const mintDue = (): void => {
    if (due === 0n) return;
    [minted, pot, due] = [minted + due, pot + due, 0n];
    commit();
  };
  const outside: EconomyOutside = {
    owe: (amount) => {
      due += amount;
    },
    bond: (holder, amount) => {
      bonded.set(holder, amount);
      commit();
    },
    landed: () => [...landed],
    reported: () => reported,
  };
  return {
    outside,
    snapshot,
    land,
    mintDue,
    report: (proof: Equivocation): void => {
      const fault = equivocationFault(proof, setup.genesis, setup.committee);
      if (fault) throw refuse(fault.code);
      if (!reported.some((r) => r.master === proof.master && r.votes[0].head.generation === proof.votes[0].head.generation))
        reported.push(proof);
    },
    /** A batch has filled the pot. */
    settled: (value: string): void => {
      dividends += decodeBatch(fromHex(value)).dividends;
    },
  };
};
