/** Where the sidecar writes what happens: never a secret, a record or a count. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
