import { AccountAddress } from '@aptos-labs/ts-sdk';
import { genesisDigest } from '@scs/protocol';
import { actorKey, testKey } from '@scs/protocol/testing/keys.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDevnet, type TestDevnet } from './devnet/testing/devnet.ts';
import { setUp } from './set-up.ts';

let devnet: TestDevnet;
beforeAll(async () => {
  devnet = await startDevnet();
});
afterAll(() => devnet.stop());

const publisherKey = testKey('publisher').seed;
const genesis = aGenesis();

test('G7: from a genesis file to contracts that hold its digest and allocations; a second run finds all done', async () => {
  const chainUrl = `${devnet.url}/v1`;
  const first = await setUp({ chainUrl, genesis, publisherKey, devnet: true });
  expect(first).toMatchObject({
    contract: genesis.chain.contract,
    published: expect.any(String) as unknown,
    initialized: expect.any(String) as unknown,
  });
  expect(await setUp({ chainUrl, genesis, publisherKey, devnet: true })).toEqual({ contract: genesis.chain.contract });
  expect(await setUp({ chainUrl, genesis, publisherKey, devnet: false })).toEqual({ contract: genesis.chain.contract });
  const [digest] = await devnet.aptos.view<[string, boolean]>({
    payload: { function: `${first.contract as `0x${string}`}::committee::genesis`, functionArguments: [] },
  });
  expect(digest).toBe(`0x${genesisDigest(genesis)}`);
  const payer = AccountAddress.from(actorKey('roastery').address);
  expect(await devnet.aptos.getAccountInfo({ accountAddress: payer })).toMatchObject({ sequence_number: '0' });
});

test('another key than the publisher named in the genesis is refused before anything is sent', async () => {
  await expect(setUp({ chainUrl: `${devnet.url}/v1`, genesis, publisherKey: testKey('other').seed, devnet: true })).rejects.toThrow(
    "Give the publisher's key folder",
  );
});
