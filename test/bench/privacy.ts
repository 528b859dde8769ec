/** Samplers beside OpenDP's: how well both fit the exact distribution, and how fast; and a million steps of the budget ledger (B5, B7). */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { discreteGaussian, discreteLaplace } from '@scs/protocol';
import { chiSquareLimit, chiSquareOf } from '@scs/protocol/testing/goodness-of-fit.ts';
import { walkBudget } from '@scs/protocol/testing/budget-walk.ts';
import { run } from '../cluster/run.ts';
import { dataFolder } from '../demo/folders.ts';
import { digits, perSecond, times } from './figures.ts';
import type { Report } from './report.ts';

const PACKAGE = 'opendp==0.16.0';
const script = resolve(import.meta.dirname, '..', 'privacy', 'opendp-samplers.py');
const mechanisms = [
  { kind: 'laplace', scale: 1 },
  { kind: 'laplace', scale: 2 },
  { kind: 'laplace', scale: 20 },
  { kind: 'laplace', scale: 1000 },
  { kind: 'gaussian', scale: 1 },
  { kind: 'gaussian', scale: 4 },
  { kind: 'gaussian', scale: 30 },
  { kind: 'gaussian', scale: 1000 },
] as const;
type Mechanism = (typeof mechanisms)[number];

interface Sample {
  readonly values: readonly number[];
  readonly ms: number;
}
const Rows = z.array(z.object({ seconds: z.number(), histogram: z.array(z.tuple([z.number(), z.number()])) }));

const installed = async (): Promise<string> => {
  const folder = join(dataFolder(), 'opendp-0.16.0');
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', partial, PACKAGE], {
    timeoutMs: 300_000,
  });
  await rename(partial, folder);
  return folder;
};
const theirs = async (count: number): Promise<readonly Sample[]> => {
  const args = mechanisms.map(({ kind, scale }) => `${kind}:${scale}`);
  const text = await run('env', [`PYTHONPATH=${await installed()}`, 'python3', script, String(count), ...args], { timeoutMs: 600_000 });
  return Rows.parse(JSON.parse(text)).map(({ seconds, histogram }) => ({
    values: histogram.flatMap(([value, seen]) => Array.from({ length: seen }, () => value)),
    ms: seconds * 1000,
  }));
};

/** Processor time of this process, so that other work on the machine hardly changes it; OpenDP's is measured so, too. */
const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const SEED = new Uint8Array(32).fill(9);
/** Vectors as a query has them. */
const VECTOR = 1_000;
const draw = ({ kind, scale }: Mechanism, index: number): readonly bigint[] =>
  kind === 'laplace'
    ? Array.from({ length: VECTOR }, (_, i) => discreteLaplace(SEED, index * VECTOR + i, { numerator: BigInt(scale), denominator: 1n }))
    : discreteGaussian(SEED, index, VECTOR, { numerator: BigInt(scale) ** 2n, denominator: 1n });
const ours = (mechanism: Mechanism, count: number): Sample => {
  draw(mechanism, 1_000_000);
  const start = processorMs();
  const values = Array.from({ length: count / VECTOR }, (_, i) => draw(mechanism, i)).flat();
  return { values: values.map(Number), ms: processorMs() - start };
};

const massOf = ({ kind, scale }: Mechanism): ((x: number) => number) => {
  if (kind === 'laplace') {
    const p = Math.exp(-1 / scale);
    return (x) => ((1 - p) / (1 + p)) * p ** Math.abs(x);
  }
  const weight = (x: number): number => Math.exp(-(x * x) / (2 * scale * scale));
  let total = 1;
  for (let x = 1; x < 40 * scale + 40; x++) total += 2 * weight(x);
  return (x) => weight(x) / total;
};
/** Pearson's statistic over the one that 1 in 10,000 true samples exceeds: below 1 it fits. */
const fit = (sample: Sample, mechanism: Mechanism): string => {
  const { statistic, freedom } = chiSquareOf(sample.values, massOf(mechanism));
  return digits(statistic / chiSquareLimit(freedom));
};

const million = (steps: number): readonly string[] => {
  const start = processorMs();
  walkBudget(steps, 2026);
  const ms = processorMs() - start;
  return [`${steps.toLocaleString('en')} random steps of the ledger, each beside the model`, perSecond(steps, ms), 'no fault'];
};

export const privacy = async (quick: boolean): Promise<Report> => {
  const count = quick ? 10_000 : 100_000;
  const baseline = await theirs(count);
  const rows = mechanisms.map((mechanism, i) => {
    const [own, other] = [ours(mechanism, count), baseline[i]!];
    return [
      `${mechanism.kind}, scale ${mechanism.scale}`,
      perSecond(count, own.ms),
      perSecond(count, other.ms),
      times(own.ms, other.ms),
      fit(own, mechanism),
      fit(other, mechanism),
    ];
  });
  return {
    name: 'privacy',
    work: [
      `${count.toLocaleString('en')} draws a row, ours keyed and of fixed work in vectors of ${VECTOR}, OpenDP's (${PACKAGE}, from Python) from the system's randomness in one vector; processor time. ` +
        "Fit: Pearson's chi-square against the exact distribution, over the value that 1 in 10,000 true samples exceeds; below 1 it fits.",
    ],
    tables: [
      { head: ['sampler', 'ours', 'OpenDP', 'times', 'fit, ours', 'fit, OpenDP'], rows },
      { head: ['budget (B5)', 'steps', 'outcome'], rows: [million(quick ? 100_000 : 1_000_000)] },
    ],
  };
};
