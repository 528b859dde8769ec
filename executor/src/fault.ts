/** Why an executor gives no answer. Messages name columns and limits, never a value out of a record: they leave the pod. */
export type ExecutorFault =
  | { readonly code: 'PlanUnfit'; readonly message: string }
  | { readonly code: 'ColumnMissing'; readonly message: string }
  | { readonly code: 'ColumnTypeUnfit'; readonly message: string }
  | { readonly code: 'SnapshotUnreadable'; readonly message: string }
  | { readonly code: 'MemoryExceeded'; readonly message: string }
  | { readonly code: 'ExecutorTimeout'; readonly message: string };

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: ExecutorFault };
export const done = <T>(value: T): Outcome<T> => ({ ok: true, value });
export const failed = (code: ExecutorFault['code'], message: string): Outcome<never> => ({ ok: false, fault: { code, message } });
