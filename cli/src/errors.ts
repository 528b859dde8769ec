/** What the user can mend: printed as one sentence, exit code 1. Anything else is a defect: printed with its stack, exit code 70. */
export class CliError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
export class UsageError extends CliError {
  constructor(message: string) {
    super('Usage', message);
  }
}
