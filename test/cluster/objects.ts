/** Reading fields of objects of the API server, which are unknown until looked at. */

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The items of a list. */
export const itemsOf = (list: unknown): Record<string, unknown>[] =>
  isRecord(list) && Array.isArray(list['items']) ? (list['items'] as unknown[]).filter(isRecord) : [];

/** Whether the object's status has this condition, and it is True. */
export const hasCondition = (object: unknown, type: string): boolean => {
  const status = isRecord(object) ? object['status'] : undefined;
  const conditions = isRecord(status) ? status['conditions'] : undefined;
  return (
    Array.isArray(conditions) &&
    conditions.some((condition: unknown) => isRecord(condition) && condition['type'] === type && condition['status'] === 'True')
  );
};
