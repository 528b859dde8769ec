/** The machine in general terms: what a reader needs to judge the figures, nothing that names it. */
import { arch, availableParallelism, cpus, loadavg, totalmem } from 'node:os';

export const machine = (): string => {
  const model = cpus()[0]?.model.replace(/\s+/g, ' ').trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${model}, ${arch()}), ${memory} GiB of memory, Node ${process.versions.node}, load average ${loadavg()[0]?.toFixed(1)} before the run.`;
};
