/** The Vault beside bare DuckDB: growth from one to ten million records, durable reservations, one query from request to sealed output. */
import { join } from 'node:path';
import { run } from '../../cluster/run.ts';
import { digits, median, mebibytes, milliseconds, perSecond, quantile, times } from '../figures.ts';
import type { Report, Table } from '../report.ts';
import type { Pair, Took } from './measure.ts';

interface Large {
  readonly pairs: readonly Pair[];
  readonly peakBytes: number;
}
interface Small {
  readonly tasks: number;
  readonly reservations: Readonly<Record<'vault' | 'together' | 'committed' | 'bare', Took>>;
  readonly queries: { readonly ms: readonly number[]; readonly steps: Readonly<Record<string, number>> };
  readonly fsyncMs: number;
}
const child = async <T>(script: string, size: number): Promise<T> =>
  JSON.parse(await run(process.execPath, [join(import.meta.dirname, script), String(size)], { timeoutMs: 3_600_000 })) as T;

const amount = ({ count }: Pair, { wallMs }: Took): string => (count === 1 ? milliseconds(wallMs) : perSecond(count, wallMs));
const growth = (records: number, { pairs, peakBytes }: Large): Table => ({
  head: [`${records.toLocaleString('en-US')} records (peak ${mebibytes(peakBytes)})`, 'Vault', 'bare DuckDB', 'times', 'by processor time'],
  rows: pairs.map((pair) => {
    const { what, vault, bare } = pair;
    if (!bare) return [what, amount(pair, vault), '', '', ''];
    return [what, amount(pair, vault), amount(pair, bare), times(vault.wallMs, bare.wallMs), times(vault.processorMs, bare.processorMs)];
  }),
});

export const vault = async (quick: boolean): Promise<Report> => {
  const sizes = quick ? [100_000] : [1_000_000, 10_000_000];
  const small = await child<Small>('small.ts', quick ? 20 : 300);
  const tables: Table[] = [];
  for (const size of sizes) tables.push(growth(size, await child<Large>('large.ts', size)));
  const { reservations, queries, fsyncMs, tasks } = small;
  const { bare } = reservations;
  const durable = (what: string, count: number, { wallMs, processorMs }: Took): readonly string[] => [
    what,
    perSecond(count, wallMs),
    `${digits(processorMs / count)} ms`,
    times(wallMs / count, bare.wallMs / tasks),
    times(processorMs / count, bare.processorMs / tasks),
  ];
  return {
    name: 'vault',
    work: [
      `Each size in a process of its own, two threads, 1 GiB for DuckDB; ten records a subject, all of whom consent. The Vault encrypts, checks each cell, numbers subjects by keyed hash, keeps journal and consents; bare DuckDB runs the statement alone on a plain file. One fsync of 512 bytes took ${digits(fsyncMs)} ms.`,
    ],
    tables: [
      {
        head: ['durable, each over 100 subjects', 'rate', 'processor time each', 'times', 'by processor time'],
        rows: [
          durable(`Vault, ${tasks} reservations one after the other`, tasks, reservations.vault),
          durable(`Vault, ${3 * tasks} reservations, 32 at a time`, 3 * tasks, reservations.together),
          durable(`Vault, ${tasks} commits one after the other`, tasks, reservations.committed),
          durable('the two statements of a reservation in bare DuckDB', tasks, reservations.bare),
        ],
      },
      {
        head: ['one query in 1,000 records, request to sealed output, without the masters', 'time'],
        rows: [
          ['median', `${digits(median(queries.ms))} ms`],
          ['90 %', `${digits(quantile(queries.ms, 0.9))} ms`],
          ...Object.entries(queries.steps).map(([name, ms]) => [`of it, on average: ${name}`, `${digits(ms)} ms`]),
        ],
      },
      ...tables,
    ],
  };
};
