/** "Did you mean ...?" (rule T6): the nearest known name, at most a third of its letters away. Ties go to the first in order. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
};

export const nearestName = (name: string, known: readonly string[]): string | undefined => {
  const ranked = known
    .map((candidate) => ({ candidate, away: distance(name, candidate) }))
    .toSorted((a, b) => a.away - b.away || (a.candidate < b.candidate ? -1 : 1));
  const [best] = ranked;
  return best && best.away * 3 <= Math.max(name.length, best.candidate.length) ? best.candidate : undefined;
};
