/**
 * What the chain is to be told, one line of work beside the other (rules P2, P4, K6, K7, G4): each looks at the decided state for its
 * next piece and knows what has landed by its own doing. A line that is stuck holds up no other.
 */
import {
  appointedBy,
  batchKey,
  leafKinds,
  type ReplacementLink,
  type CertifiedLeaf,
  type Equivocation,
  type LeafKind,
  type State,
} from '@scs/protocol';
import { economyIn } from '@scs/protocol/rules/economy.ts';
import type { Log } from '../log/log.ts';
import type { Chain } from './chain.ts';

export type LanesChain = Pick<Chain, 'appoint' | 'settle' | 'land' | 'mintDue' | 'report'>;
export interface Work {
  /** For the log: `batch/7`, `mint/3`. */
  readonly what: string;
  /** Resolves once it has landed; rejects with a ChainError otherwise. */
  run(): Promise<void>;
}
export interface Lane {
  readonly name: string;
  /** Whether any master does it, or only the one that proposes. */
  readonly byAll: boolean;
  next(state: State): Work | undefined;
}
export interface LanesOptions {
  readonly chain: LanesChain;
  readonly log: Pick<Log, 'leaf'>;
  /** Committees since genesis, by governance, in order. */
  readonly replacements: readonly ReplacementLink[];
  /** Proofs that a master signed twice, at most a few. */
  readonly offences: () => readonly Equivocation[];
  readonly onLanded: (what: string) => void;
}

const later = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** Numbers one after the other, from behind the last that is known to have landed; `#done` is what this process saw by itself. */
const line = (
  name: string,
  o: LanesOptions,
  bounds: (state: State) => { readonly landed: bigint; readonly next: bigint },
  keyOf: (number: bigint) => string,
  land: (number: bigint, leaf: CertifiedLeaf) => Promise<void>,
): Lane => {
  let done = 0n;
  return {
    name,
    byAll: false,
    next: (state) => {
      const { landed, next } = bounds(state);
      const number = later(landed, done) + 1n;
      const leaf = number < next ? o.log.leaf(keyOf(number)) : undefined;
      if (!leaf) return undefined;
      return {
        what: keyOf(number),
        run: async () => {
          await land(number, leaf);
          done = number;
          o.onLanded(keyOf(number));
        },
      };
    },
  };
};
const batches = (o: LanesOptions): Lane =>
  line(
    'batch',
    o,
    (state) => {
      const { chain, nextBatch } = state.must('meta');
      return { landed: chain?.settled ?? 0n, next: nextBatch };
    },
    batchKey,
    async (_, leaf) => {
      await o.chain.settle({ leaf });
    },
  );
const leaves = (kind: LeafKind, o: LanesOptions): Lane =>
  line(
    kind,
    o,
    (state) => {
      const { landed, next } = economyIn(state);
      return { landed: landed[kind], next: next[kind] };
    },
    (number) => `${kind}/${number}`,
    (number, leaf) => o.chain.land(kind, number, leaf),
  );

/** P5: the chain takes what this generation certifies only once it knows its committee. */
const committees = (o: LanesOptions): Lane => {
  const waiting = [...o.replacements];
  const nameOf = (link: ReplacementLink): string => `committee/${appointedBy(link)}`;
  return {
    name: 'committee',
    byAll: false,
    next: () => {
      const [link] = waiting;
      if (!link) return undefined;
      return {
        what: nameOf(link),
        run: async () => {
          await o.chain.appoint(link);
          waiting.shift();
          o.onLanded(nameOf(link));
        },
      };
    },
  };
};

/** K7: once an epoch somebody mints what is due. The amount follows the chain's time, however often that is. */
const minting = (o: LanesOptions): Lane => {
  let tried = 0;
  return {
    name: 'mint',
    byAll: false,
    next: (state) => {
      const { epoch } = state.must('meta');
      if (Math.max(economyIn(state).mintedEpoch, tried) >= epoch) return undefined;
      return {
        what: `mint/${epoch}`,
        run: async () => {
          await o.chain.mintDue();
          tried = epoch;
          o.onLanded(`mint/${epoch}`);
        },
      };
    },
  };
};

/** G4: a proof needs no vote, and whoever holds one may be the only one: every master brings its own. */
const accusations = (o: LanesOptions): Lane => {
  const brought = new Set<string>();
  const nameOf = ({ master, votes }: Equivocation): string => `equivocation/${votes[0].head.generation}/${master}`;
  return {
    name: 'equivocation',
    byAll: true,
    next: () => {
      const proof = o.offences().find((p) => !brought.has(nameOf(p)));
      if (!proof) return undefined;
      return {
        what: nameOf(proof),
        run: async () => {
          await o.chain.report(proof);
          brought.add(nameOf(proof));
        },
      };
    },
  };
};

export const lanesOf = (o: LanesOptions): readonly Lane[] => [
  committees(o),
  batches(o),
  ...leafKinds.map((kind) => leaves(kind, o)),
  minting(o),
  accusations(o),
];
