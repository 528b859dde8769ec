/** contracts/devnet/bench.ts: the same transaction in the bare Move VM, through the chain, and over HTTP. */
import { join } from 'node:path';
import { run } from '../cluster/run.ts';
import { repository } from '../demo/folders.ts';
import { digits } from './figures.ts';
import type { Report } from './report.ts';

export const devnet = async (quick: boolean): Promise<Report> => {
  const count = quick ? 200 : 2_000;
  const printed = await run(process.execPath, [join(repository, 'contracts/devnet/bench.ts'), String(count)], { timeoutMs: 600_000 });
  const lines = [...printed.matchAll(/^(.+?)\s+(\d+) \/s$/gm)].map(([, what = '', rate = '0']) => ({ what, rate: Number(rate) }));
  const [bare] = lines;
  if (!bare) throw new Error(`the devnet's benchmark printed no figures:\n${printed}`);
  return {
    name: 'devnet',
    work: [`${count.toLocaleString('en-US')} calls of one entry function (mint of a fungible asset into a primary store) from 20 senders.`],
    tables: [
      {
        head: ['what', 'transactions/s', 'share of the bare VM'],
        rows: lines.map(({ what, rate }) => [what, digits(rate), `${Math.round((100 * rate) / bare.rate)} %`]),
      },
    ],
  };
};
