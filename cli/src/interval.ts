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

/** Beyond these the exact sum would take seconds, and an approximation is as good. */
const EXACT_SCALE = 32;
const EXACT_VAULTS = 12;
/** 97.5 % quantile of the normal distribution. */
const Z = 1.959964;

const exact = (scale: number, vaults: number, level: number): number => {
  const one = laplace(scale, Math.ceil(24 * scale));
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

/**
 * Half width w: the sum of `vaults` independent noises of scale cellsPerSubject / epsilon lies within +-w in 95 of 100 cases.
 * From the exact distribution by convolution; a wide one is that of a narrower one, stretched; that of many Vaults is nearly
 * normal, with variance 2p / (1 - p)^2 each.
 */
export const noiseHalfWidth = (cellsPerSubject: number, epsilon: number, vaults: number): number => {
  const scale = cellsPerSubject / epsilon;
  if (vaults > EXACT_VAULTS) {
    const p = Math.exp(-1 / scale);
    return Math.ceil(Z * Math.sqrt((vaults * 2 * p) / (1 - p) ** 2));
  }
  if (scale > EXACT_SCALE) return Math.ceil((exact(EXACT_SCALE, vaults, 0.95) * scale) / EXACT_SCALE);
  return exact(scale, vaults, 0.95);
};
