/** For tests of samplers: Pearson's chi-square against an exact mass, and bounds of proportions. Floats are fine here. */

/** Cells of the range where at least eight are expected, and one for all the rest. `mass` is symmetric and falls from 0. */
export const chiSquareOf = (
  values: readonly number[],
  mass: (x: number) => number,
): { readonly statistic: number; readonly freedom: number } => {
  const seen = Map.groupBy(values, (x) => x);
  let [edge, statistic, inside, insideMass] = [0, 0, 0, 0];
  while (mass(edge + 1) * values.length >= 8) edge++;
  for (let x = -edge; x <= edge; x++) {
    const [got, expected] = [seen.get(x)?.length ?? 0, mass(x) * values.length];
    statistic += (got - expected) ** 2 / expected;
    inside += got;
    insideMass += mass(x);
  }
  const tail = (1 - insideMass) * values.length;
  if (tail > 0) statistic += (values.length - inside - tail) ** 2 / tail;
  return { statistic, freedom: 2 * edge + 1 };
};

/** Wilson and Hilferty's 0.9999 quantile (z = 3.72). */
export const chiSquareLimit = (freedom: number): number => freedom * (1 - 2 / (9 * freedom) + 3.72 * Math.sqrt(2 / (9 * freedom))) ** 3;

const logFactorials = [0];
const logFactorial = (n: number): number => {
  for (let i = logFactorials.length; i <= n; i++) logFactorials.push(logFactorials[i - 1]! + Math.log(i));
  return logFactorials[n]!;
};
/** P(X <= k) of a binomial. */
const binomialAtMost = (k: number, n: number, p: number): number => {
  if (p <= 0) return 1;
  if (p >= 1) return k >= n ? 1 : 0;
  let sum = 0;
  for (let i = 0; i <= k; i++)
    sum += Math.exp(logFactorial(n) - logFactorial(i) - logFactorial(n - i) + i * Math.log(p) + (n - i) * Math.log1p(-p));
  return Math.min(1, sum);
};
const bisect = (holds: (p: number) => boolean): number => {
  let [low, high] = [0, 1];
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
};

/** Clopper and Pearson: the proportion lies within, but for `alpha` on each side. */
export const proportionBounds = (hits: number, of: number, alpha: number): { readonly low: number; readonly high: number } => ({
  low: hits === 0 ? 0 : bisect((p) => 1 - binomialAtMost(hits - 1, of, p) <= alpha),
  high: hits === of ? 1 : bisect((p) => binomialAtMost(hits, of, p) > alpha),
});
