/** Memory and processor time of running processes, from /proc. */
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // USER_HZ, fixed on Linux

export interface Usage {
  /** Bytes. */
  readonly resident: number;
  readonly peak: number;
  /** Milliseconds of user and system time. */
  readonly processor: number;
}

const kibibytes = (status: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;

/** Throws when the process is gone. */
export const usageOf = (pid: number): Usage => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command's name stands in parentheses and may hold spaces; fields are counted behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { resident: kibibytes(status, 'VmRSS'), peak: kibibytes(status, 'VmHWM'), processor: (ticks * 1000) / TICKS_PER_SECOND };
};

/** Usage by name; several processes of one name are added up. */
export const usageByName = (processes: readonly { readonly name: string; readonly pid: number }[]): ReadonlyMap<string, Usage> => {
  const all = new Map<string, Usage>();
  for (const { name, pid } of processes) {
    const { resident, peak, processor } = usageOf(pid);
    const before = all.get(name) ?? { resident: 0, peak: 0, processor: 0 };
    all.set(name, { resident: before.resident + resident, peak: before.peak + peak, processor: before.processor + processor });
  }
  return all;
};
