/** What every implementation of the port `Chain` does beside batches, as a test suite (rules K6, K7, N3, G3, G4, P4). */
import { describe, expect, test } from 'vitest';
import { encodeGovernanceLeaf, governanceKey } from '@scs/protocol/governance-leaf.ts';
import type { Head } from '@scs/protocol/certificate.ts';
import { dividendKey, dividendTree, encodeDividendRoot } from '@scs/protocol/dividends.ts';
import { digest } from '@scs/protocol/encoding/hash.ts';
import { encodeNodeRewards, nodeRewardsKey } from '@scs/protocol/inflation.ts';
import { buildBatch } from '@scs/protocol/settlement.ts';
import { encodeSlash, slashKey, type Slash } from '@scs/protocol/staking.ts';
import { ChainError } from '../chain.ts';
import type { EconomyFigures } from '../chain.ts';
import { certified, certifiedBatch, contractCommittee, contractGenesis, decideVote, type ChainUnderTest } from './chain-contract.ts';

const worker = `0x${'7'.repeat(64)}`;
const rewards = (number: bigint, amount: bigint) =>
  certified(nodeRewardsKey(number), encodeNodeRewards({ number, transfers: [{ account: worker, amount }] }));
const reasonOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    return error.fault.code === 'ContractRefused' ? error.fault.reason : error.fault.code;
  }
};
const open = { from: 1n, to: 4n };

export const describeEconomy = (name: string, start: () => Promise<ChainUnderTest>): void => {
  const withChain = async (use: (under: ChainUnderTest, figures: () => Promise<EconomyFigures>) => Promise<void>): Promise<void> => {
    const under = await start();
    const { chain, submitters } = under;
    const question = {
      enterprises: [...submitters, worker],
      masters: contractCommittee.keys,
      open: { 'node-rewards': open, dividends: open, slash: open, governance: open },
    };
    try {
      await use(under, async () => chain.economy(question, await chain.observe([])));
    } finally {
      await under.close();
    }
  };
  const mint = async (under: ChainUnderTest): Promise<void> => {
    await under.letMintingFallDue();
    await under.chain.mintDue();
  };

  describe(`Chain, the economy: ${name}`, () => {
    test('K7: what falls due is minted once, by whomever', () =>
      withChain(async (under, figures) => {
        expect((await figures()).minted).toBe(0n);
        await mint(under);
        const { minted } = await figures();
        expect(minted).toBeGreaterThanOrEqual(2_000n);
        expect(minted).toBeLessThan(1_000_000n);
      }));

    test('P4, K7: node rewards land once, whoever sends them and however often; never beyond what was minted', () =>
      withChain(async (under, figures) => {
        const { chain, another } = under;
        expect(await reasonOf(chain.land('node-rewards', 1n, rewards(1n, 10n)))).toBe('PotInsufficient');
        await mint(under);
        await chain.land('node-rewards', 1n, rewards(1n, 10n));
        await Promise.all([chain.land('node-rewards', 1n, rewards(1n, 10n)), another().land('node-rewards', 1n, rewards(1n, 10n))]);
        expect((await figures()).landed).toEqual({ 'node-rewards': 1n, dividends: 0n, slash: 0n, governance: 0n });
        await chain.land('node-rewards', 3n, rewards(3n, 10n));
        expect((await figures()).landed['node-rewards']).toBe(1n); // the second is missing
        await chain.land('node-rewards', 2n, rewards(2n, 10n));
        expect((await figures()).landed['node-rewards']).toBe(3n);
        expect(await reasonOf(chain.land('node-rewards', 4n, { ...rewards(4n, 10n), siblings: [] }))).toBe('PathMismatch');
      }));

    test('K6: a root lands once the pot holds its total', () =>
      withChain(async ({ chain, submitters, deposit }, figures) => {
        const { root } = dividendTree(1n, [{ account: worker, amount: 40n }]);
        const leaf = certified(dividendKey(1n), encodeDividendRoot(root));
        expect(await reasonOf(chain.land('dividends', 1n, leaf))).toBe('PotInsufficient');
        await deposit(0, 500n);
        const settled = {
          envelope: contractGenesis,
          submitter: submitters[0],
          quote: 100n,
          charge: 100n,
          refund: 0n,
          evidence: contractGenesis,
        };
        const split = { credits: [], dividends: 40n, treasury: 60n };
        await chain.settle({ leaf: certifiedBatch(buildBatch({ number: 1n, epoch: 1n, tasks: [{ leaf: settled, split }] })) });
        await chain.land('dividends', 1n, leaf);
        await chain.land('dividends', 1n, leaf);
        expect((await figures()).landed.dividends).toBe(1n);
      }));

    test('G1, X4: a closed epoch is recorded once, in order', () =>
      withChain(async ({ chain, another }, figures) => {
        const epoch = (number: bigint) => {
          const digest = contractGenesis;
          return certified(
            governanceKey(number),
            encodeGovernanceLeaf({ number, digest, policyVersion: 1n, policy: digest, protocolVersion: 1n }),
          );
        };
        await chain.land('governance', 1n, epoch(1n));
        await Promise.all([chain.land('governance', 1n, epoch(1n)), another().land('governance', 2n, epoch(2n))]);
        expect((await figures()).landed.governance).toBe(2n);
      }));

    test('N3, G3: bonds as of a point, and penalties once', () =>
      withChain(async ({ chain, submitters, bond }, figures) => {
        const before = await chain.observe([]);
        await bond(0, 1_000n);
        const nothing = Object.fromEntries([...submitters, worker, ...contractCommittee.keys].map((holder) => [holder, 0n]));
        expect((await figures()).bonded).toEqual({ ...nothing, [submitters[0]]: 1_000n });
        const question = {
          enterprises: submitters,
          masters: [],
          open: { 'node-rewards': open, dividends: open, slash: open, governance: open },
        };
        expect((await chain.economy(question, before)).bonded[submitters[0]]).toBe(0n);
        const slash: Slash = {
          number: 1n,
          role: 'enterprise',
          offender: submitters[0],
          offence: 'invalid_evidence',
          case: contractGenesis,
          challenger: `0x${'0'.repeat(64)}`,
          share: 0n,
        };
        const leaf = certified(slashKey(1n), encodeSlash(slash));
        await chain.land('slash', 1n, leaf);
        await chain.land('slash', 1n, leaf);
        const after = await figures();
        expect([after.landed.slash, after.bonded[submitters[0]]]).toEqual([1n, 900n]);
      }));

    test('G4: a proof of equivocation is brought once; what proves nothing is refused', () =>
      withChain(async ({ chain, another }) => {
        const head = (block: string): Head => ({
          genesis: contractGenesis,
          generation: 0n,
          height: 7n,
          stateRoot: contractGenesis,
          block: digest('block', new TextEncoder().encode(block)),
        });
        const vote = (block: string) => ({ head: head(block), signature: decideVote(1, head(block)) });
        const proves = { master: 1, votes: [vote('one'), vote('two')] } as const;
        expect(await reasonOf(chain.report({ master: 1, votes: [vote('one'), vote('one')] }))).toBe('SameHead');
        await chain.report(proves);
        await another().report(proves);
      }));
  });
};
