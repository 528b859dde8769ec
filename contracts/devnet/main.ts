import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { openChain } from './chain.ts';
import { buildFramework, readFramework } from './framework.ts';
import { serve } from './server.ts';

const usage = `devnet, not Aptos: an embedded node with the Aptos REST API over the Move VM, for tests and demonstrations.

  node contracts/devnet/main.ts [options]

  --listen HOST:PORT    where to serve (default 127.0.0.1:8080); the API is under /v1, the faucet at /fund
  --data DIR            where to keep the chain (default: in memory only)
  --chain-id N          3 to 255 (default 4); 1 and 2 are those of Aptos mainnet and testnet
  --genesis FILE        JSON { "gas": { "0x...": "amount" } }: devnet gas that accounts hold from the start
  --framework FILE      the framework, compiled before (bundle.ts makes it); default: SCS_DEVNET_FRAMEWORK, else compile it now
  --no-faucet           serve no faucet
  --allow-time-travel   serve POST /v1/devnet/advance_time { "seconds": n }: tests only
`;

const Genesis = z.object({ gas: z.record(z.string().regex(/^0x[0-9a-fA-F]{1,64}$/), z.string().regex(/^\d{1,18}$/)).default({}) });

const options = {
  listen: { type: 'string', default: '127.0.0.1:8080' },
  data: { type: 'string' },
  'chain-id': { type: 'string', default: '4' },
  genesis: { type: 'string' },
  framework: { type: 'string' },
  'no-faucet': { type: 'boolean', default: false },
  'allow-time-travel': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** 1 and 2 are Aptos' mainnet and testnet: nothing signed here shall be good there. */
const chainIdOf = (text: string): number => {
  const id = Number(text);
  if (!Number.isInteger(id) || id < 3 || id > 255) throw new Error('--chain-id is a number from 3 to 255');
  return id;
};

const listenOf = (text: string): { host: string; port: number } => {
  const parts = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text);
  if (parts === null) throw new Error('--listen is HOST:PORT');
  return { host: parts[1] === '' ? '0.0.0.0' : (parts[1] ?? ''), port: Number(parts[2]) };
};

const gasOf = async (file: string | undefined): Promise<ReadonlyMap<string, bigint>> => {
  if (file === undefined) return new Map();
  const { gas } = Genesis.parse(JSON.parse(await readFile(file, 'utf8')));
  return new Map(Object.entries(gas).map(([address, amount]) => [address, BigInt(amount)]));
};

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options });
  if (values.help) {
    console.log(usage);
    return;
  }
  const framework = values.framework ?? process.env['SCS_DEVNET_FRAMEWORK'];
  const chain = await openChain({
    chainId: chainIdOf(values['chain-id']),
    ...(values.data === undefined ? {} : { dataDir: values.data }),
    framework: () => (framework === undefined ? buildFramework() : readFramework(framework)),
    gas: await gasOf(values.genesis),
  });
  const server = await serve(chain, { ...listenOf(values.listen), faucet: !values['no-faucet'], timeTravel: values['allow-time-travel'] });
  const tip = chain.tip();
  console.log(`devnet, not Aptos: ${server.url}/v1, chain id ${chain.chainId}, at block ${tip.height}, version ${tip.lastVersion}.`);
  if (values['allow-time-travel']) console.log('Time travel is allowed: for tests only.');
  const stop = (): void => {
    void server.close().then(() => {
      chain.close();
      process.exit(0);
    });
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
};

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
