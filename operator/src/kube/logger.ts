import { pino } from 'pino';

/** What this folder needs of a logger; a pino logger fits. Callers pass codes and names, never objects' contents. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const defaultLogger: Logger = pino({ name: 'kube', level: process.env['LOG_LEVEL'] ?? 'info' });

/** What a log may say of a thrown value: its code if it carries one, and a bounded message. */
export function errorFields(thrown: unknown): { code: string; message: string } {
  if (!(thrown instanceof Error)) return { code: 'Unknown', message: String(thrown).slice(0, 500) };
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : thrown.name;
  return { code, message: thrown.message.slice(0, 500) };
}
