/** metav1.Condition: what is true of an object, since when, and why. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  /** PascalCase and stable: the same word as in logs, metrics and docs. */
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

export type NewCondition = Omit<Condition, 'lastTransitionTime'>;

/** RFC 3339 to the second, as metav1.Time wants it. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

export const findCondition = (list: readonly Condition[] | undefined, type: string): Condition | undefined =>
  list?.find((c) => c.type === type);

export const isTrue = (list: readonly Condition[] | undefined, type: string): boolean => findCondition(list, type)?.status === 'True';

/**
 * The list with `condition` in its place, ordered by type as a new list. `lastTransitionTime` stays while the status does.
 * `now` is civil time in milliseconds.
 */
export function setCondition(list: readonly Condition[] | undefined, condition: NewCondition, now: number): Condition[] {
  const before = findCondition(list, condition.type);
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : rfc3339(now);
  const others = (list ?? []).filter((c) => c.type !== condition.type);
  return [...others, { ...condition, lastTransitionTime }].toSorted((a, b) => (a.type < b.type ? -1 : 1));
}
