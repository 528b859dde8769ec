/** Paths in `given` that a schema dropped: whatever `kept` (the parsed value) does not have. */
export const unknownFields = (given: unknown, kept: unknown, path = ''): string[] => {
  if (Array.isArray(given) && Array.isArray(kept)) return given.flatMap((item, i) => unknownFields(item, kept[i], `${path}[${i}]`));
  if (!isObject(given) || !isObject(kept)) return [];
  return Object.entries(given).flatMap(([key, value]) => {
    const here = path ? `${path}.${key}` : key;
    if (value === undefined) return [];
    return Object.hasOwn(kept, key) ? unknownFields(value, kept[key], here) : [here];
  });
};
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
