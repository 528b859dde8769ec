/** How far noise may have moved a cell: display only, so floats are fine here (the rules never see this). */

/** P(X = x) of discrete Laplace with scale b, for x in [-reach, reach]. */
const laplace = (scale: number, reach: number): Float64Array => {
  const p = Math.exp(-1 / scale);
  const norm = (1 - p) / (1 + p);
  return Float64Array.from({ length: 2 * reach + 1 }, (_, i) => norm * p ** Math.abs(i - reach));
};

const convolve = (a: Float64Array, b: Float64Array): Float64Array => {
  const out = new Float64Array(a.length + b.length - 1);
  for (let i = 0; i < a.length; i++) for (let j = 0; j < b.length; j++) out[i + j]! += a[i]! * b[j]!;
  return out;
};

/**
 * Half width w: the sum of `vaults` independent noises of scale cellsPerSubject / epsilon lies within +-w with at least the
 * probability `level`. Computed from the exact distribution by convolution, not by a normal approximation.
 */
export const noiseHalfWidth = (cellsPerSubject: number, epsilon: number, vaults: number, level = 0.95): number => {
  const scale = cellsPerSubject / epsilon;
  const reach = Math.min(4096, Math.ceil(24 * scale));
  const one = laplace(scale, reach);
  let sum = one;
  for (let i = 1; i < vaults; i++) sum = convolve(sum, one);
  const middle = (sum.length - 1) / 2;
  let inside = sum[middle]!;
  let width = 0;
  while (inside < level && width < middle) {
    width += 1;
    inside += sum[middle - width]! + sum[middle + width]!;
  }
  return width;
};
