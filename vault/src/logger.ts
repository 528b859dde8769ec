/** Codes, names of Vaults and tasks; never a subject, a value or a count. A pino logger fits. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
export const silent: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** What may be said of an error in a log: its code or kind. Messages of the store may quote values. */
export const errorCode = (error: unknown): string => {
  if (typeof error !== 'object' || error === null) return 'Unknown';
  if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) return String(error.code);
  return error instanceof Error ? error.name : 'Unknown';
};
