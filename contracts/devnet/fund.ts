import { z } from 'zod';

/** `node contracts/devnet/fund.ts http://127.0.0.1:8080 0x... 100000000`: devnet gas for an account. */
const Answer = z.object({ txn_hashes: z.array(z.string()) });

const main = async (): Promise<void> => {
  const [url, address, amount] = process.argv.slice(2);
  if (url === undefined || address === undefined || amount === undefined) throw new Error('usage: fund.ts URL ADDRESS AMOUNT');
  const response = await fetch(new URL('/fund', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ address, amount: Number(amount) }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`The faucet refused: ${text}`);
  console.log(Answer.parse(JSON.parse(text)).txn_hashes[0]);
};

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
