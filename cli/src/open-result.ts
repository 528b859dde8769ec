/** Opens a sealed result (rule M5): only the holder of the submitter's result key can. */
import { decodeTaskResult, envelopeAad } from '@scs/protocol/slice-input.ts';
import type { TaskResult } from '@scs/protocol';
import { open, SealError, unpackSealed } from '@scs/proto/sealing.ts';
import { CliError } from './errors.ts';

/** Throws CliError when the key doesn't fit or the content isn't a result of this envelope. */
export const openResult = async (sealed: Uint8Array, resultSeed: string, envelope: string): Promise<TaskResult> => {
  try {
    const result = decodeTaskResult(await open(resultSeed, 'task-result', unpackSealed(sealed), envelopeAad(envelope)));
    if (result.envelope !== envelope) throw new CliError('ResultMismatch', 'The result inside the seal belongs to another task.');
    return result;
  } catch (cause) {
    if (cause instanceof SealError)
      throw new CliError(
        'ResultKeyWrong',
        'The result does not open with this key. Give --keys FOLDER of the submitter whose result key is in the task.',
      );
    throw cause;
  }
};
