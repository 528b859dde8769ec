/** Wall time beside processor time of this process: what else runs on the machine changes the first far more than the second. */
export interface Took {
  readonly wallMs: number;
  readonly processorMs: number;
}
const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
export const took = async (work: () => Promise<unknown>): Promise<Took> => {
  const [wall, processor] = [performance.now(), processorMs()];
  await work();
  return { wallMs: performance.now() - wall, processorMs: processorMs() - processor };
};
/** The best of `runs`, by processor time. */
export const bestOf = async (runs: number, work: () => Promise<unknown>): Promise<Took> => {
  let best = await took(work);
  for (let i = 1; i < runs; i++) {
    const next = await took(work);
    if (next.processorMs < best.processorMs) best = next;
  }
  return best;
};
export interface Pair {
  readonly what: string;
  /** What rates count; 1 for a duration. */
  readonly count: number;
  readonly vault: Took;
  readonly bare?: Took;
}
