/**
 * The client of `bench.ts`, a process of its own so that what it takes isn't counted as the devnet's: one message with the address and the
 * transactions in base64, posted over `connections` at once; then an answer.
 */
import process from 'node:process';
import { z } from 'zod';

const Work = z.object({ url: z.string(), connections: z.number(), bodies: z.array(z.string()) });
const headers = { 'content-type': 'application/x.aptos.signed_transaction+bcs' };

const postAll = async ({ url, connections, bodies }: z.infer<typeof Work>): Promise<void> => {
  const queue = bodies.values();
  const worker = async (): Promise<void> => {
    for (const body of queue) {
      const response = await fetch(`${url}/v1/transactions`, { method: 'POST', headers, body: Buffer.from(body, 'base64') });
      if (response.status !== 202) throw new Error(await response.text());
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
};

process.once('message', (message) => {
  postAll(Work.parse(message)).then(
    () => process.send?.('done', () => process.exit(0)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
