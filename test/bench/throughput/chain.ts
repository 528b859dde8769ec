/** The devnet as a process of its own, with the contracts published, initialised from the genesis, and a funded escrow. */
import { Account, Aptos, AptosConfig, Ed25519PrivateKey, Network } from '@aptos-labs/ts-sdk';
import { parseSym } from '@scs/protocol';
import { actorKey, digestOf, testKey } from '@scs/protocol/testing/keys.ts';
import { publishScs } from '../../../contracts/publish.ts';
import { until } from '../../cluster/api.ts';
import { SUBMITTER, type BenchGroup } from './group.ts';

const GAS = 100_000_000_000;
const accountOf = (seed: string): Account => Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(`0x${seed}`) });

const faucet = async (url: string, address: string): Promise<void> => {
  const answer = await fetch(`${url}/fund`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address, amount: GAS }),
    signal: AbortSignal.timeout(20_000),
  });
  if (!answer.ok) throw new Error(`the faucet refused: ${await answer.text()}`);
};

/** `escrow`: SYM that the submitter pays in. */
export const settleBenchChain = async (url: string, { genesis, genesisDigest }: BenchGroup, escrow: string): Promise<void> => {
  await until('the devnet answers', async () => ((await fetch(`${url}/v1`)).ok ? true : undefined), { timeoutMs: 120_000, everyMs: 200 });
  const publisher = accountOf(testKey('publisher').seed);
  const submitter = accountOf(actorKey(SUBMITTER).seed);
  const masters = [0, 1, 2].map((i) => accountOf(digestOf(`gas ${i}`)));
  for (const account of [publisher, submitter, ...masters]) await faucet(url, account.accountAddress.toStringLong());
  const aptos = new Aptos(new AptosConfig({ network: Network.CUSTOM, fullnode: `${url}/v1` }));
  const { chain, actors } = genesis;
  const { contract } = await publishScs({
    aptos,
    publisher,
    genesis: {
      digest: genesisDigest,
      masters: genesis.masters.map((m) => m.publicKey),
      recoveryKeys: genesis.recoveryKeys,
      simulated: true,
      treasuryReserve: chain.treasuryReserve,
      escrowDelaySeconds: chain.escrowDelaySeconds,
      escrowWindowSeconds: chain.escrowWindowSeconds,
      allocations: actors.map((a) => ({ address: a.address, amount: a.allocation })),
    },
  });
  if (contract !== chain.contract) throw new Error('the contracts are not where the genesis says');
  const transaction = await aptos.transaction.build.simple({
    sender: submitter.accountAddress,
    data: { function: `${contract}::escrow::deposit` as `0x${string}::${string}::${string}`, functionArguments: [parseSym(escrow)] },
  });
  const { hash } = await aptos.signAndSubmitTransaction({ signer: submitter, transaction });
  await aptos.waitForTransaction({ transactionHash: hash });
};
