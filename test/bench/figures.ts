/** Numbers as people read them: two or three digits that mean something, and no more. */
export const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);

/** `share` of 0.5 is the median. Throws RangeError on no values. */
export const quantile = (values: readonly number[], share: number): number => {
  const ordered = sorted(values);
  const found = ordered[Math.min(ordered.length - 1, Math.floor(share * ordered.length))];
  if (found === undefined) throw new RangeError('no values');
  return found;
};
export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const digits = (value: number, significant = 3): string => {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const places = Math.max(0, significant - 1 - magnitude);
  const step = 10 ** Math.max(0, magnitude - significant + 1);
  const rounded = step > 1 ? Math.round(value / step) * step : value;
  return rounded.toLocaleString('en-US', { minimumFractionDigits: places, maximumFractionDigits: places });
};
export const seconds = (ms: number): string => `${digits(ms / 1000)} s`;
export const milliseconds = (ms: number): string => `${Math.round(ms).toLocaleString('en-US')} ms`;
export const perSecond = (count: number, ms: number): string => `${digits((count * 1000) / ms)} /s`;
export const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
/** How many times as much as the baseline. */
export const times = (value: number, baseline: number): string => `${digits(value / baseline, 2)} x`;
