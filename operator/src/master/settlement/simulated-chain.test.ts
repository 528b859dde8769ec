import { expect, test } from 'vitest';
import {
  contractCommittee,
  contractGenesis,
  batchOf,
  certifiedBatch,
  describeChain,
  type ChainUnderTest,
} from './testing/chain-contract.ts';
import { describeEconomy } from './testing/economy-contract.ts';
import { simulatedChain } from './simulated-chain.ts';

const submitters = [`0x${'1'.repeat(64)}`, `0x${'2'.repeat(64)}`] as const;
const start = () => simulatedChain({ genesis: contractGenesis, committee: contractCommittee, startMs: 1_700_000_000_000n });

const open = async (): Promise<ChainUnderTest> => {
  const chain = start();
  return {
    chain,
    submitters,
    bond: async (submitter, amount) => chain.economyOutside.bond(submitters[submitter], amount),
    letMintingFallDue: async () => chain.economyOutside.owe(2_000n),
    deposit: async (submitter, amount) => chain.deposit(submitters[submitter], amount),
    advance: () => chain.advance(1_000n),
    requestWithdrawal: async (submitter, amount) => chain.requestWithdrawal(submitters[submitter], amount),
    another: () => chain,
    close: async () => {},
  };
};
describeChain('simulated', open);
describeEconomy('simulated', open);

test('P4: an answer lost after the effect is no second effect', async () => {
  const chain = start();
  chain.deposit(submitters[0], 500n);
  const leaf = certifiedBatch(batchOf(1n, [[submitters[0], 300n]]));
  chain.fail([{ code: 'ChainUnavailable', detail: 'connection reset' }], 'afterEffect');
  await expect(chain.settle({ leaf })).rejects.toMatchObject({ transient: true });
  await chain.settle({ leaf });
  expect((await chain.observe([submitters[0]])).escrows[submitters[0]]?.balance).toBe(200n);
});
