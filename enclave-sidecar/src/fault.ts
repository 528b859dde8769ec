/** What ends an enclave for good. The code is stable: it becomes a condition's reason; the message names parties and limits, never data. */
export class EnclaveFault extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'EnclaveFault';
    this.code = code;
  }
}

/** What a log may say of a thrown value: its kind, never its words, which may quote what was decoded. */
export const errorKind = (thrown: unknown): string => {
  if (thrown instanceof EnclaveFault) return thrown.code;
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  return thrown instanceof Error ? thrown.name : 'Unknown';
};
