/** Options that several commands share. */
import type { Invocation, Options } from './command.ts';
import { CliError, UsageError } from './errors.ts';

export const keysOptions = { keys: { type: 'string' } } as const satisfies Options;

/** `--keys FOLDER` or $SCS_KEYS. */
export const keysIfGiven = (invocation: Invocation): string | undefined => invocation.text('keys') ?? invocation.variable('SCS_KEYS');

/** Throws CliError when no folder is named. */
export const keysOf = (invocation: Invocation): string => {
  const keys = keysIfGiven(invocation);
  if (!keys)
    throw new CliError('KeysMissing', 'Which key? Give --keys FOLDER (made by kubectl symphony keygen submitter NAME) or set SCS_KEYS.');
  return keys;
};

/** `-o`, as one of the formats that the command knows. Throws UsageError. */
export const formatOf = <F extends string>(invocation: Invocation, formats: readonly F[]): F => {
  const given = invocation.text('output');
  const format = formats.find((f) => f === given);
  if (format === undefined) throw new UsageError(`-o takes ${formats.join(', ')}, not ${given}.`);
  return format;
};
