/** contracts/devnet/bench.ts: the same transaction in the bare Move VM, through the chain, and over HTTP. */
import { join } from 'node:path';
import { run } from '../cluster/run.ts';
import { repository } from '../demo/folders.ts';
import { digits } from './figures.ts';
import type { Report } from './report.ts';

export const devnet = async (quick: boolean): Promise<Report> => {
  const count = quick ? 200 : 2_000;
  const printed = await run(process.execPath, [join(repository, 'contracts/devnet/bench.ts'), String(count)], { timeoutMs: 600_000 });
  const lines = [...printed.matchAll(/^(.+?)\s+(\d+) \/s (\d+) \/processor-s$/gm)].map(([, what = '', rate = '0', worked = '0']) => ({
    what,
    rate: Number(rate),
    worked: Number(worked),
  }));
  const [bare] = lines;
  if (!bare) throw new Error(`the devnet's benchmark printed no figures:\n${printed}`);
  return {
    name: 'devnet',
    work: [
      `${count.toLocaleString('en-US')} calls of one entry function (mint of a fungible asset into a primary store) from 20 senders. Processor time is the devnet’s process alone; the client is another.`,
    ],
    tables: [
      {
        head: ['what', 'transactions/s', 'a second of processor time', 'share of the bare VM, by processor time'],
        rows: lines.map(({ what, rate, worked }) => [what, digits(rate), digits(worked), `${Math.round((100 * worked) / bare.worked)} %`]),
      },
    ],
  };
};
