/** Opens a sealed result (rule M5): only the holder of the submitter's result key can. */
import { decodeTaskResult, envelopeAad } from '@scs/protocol/slice-input.ts';
import type { Task, TaskResult } from '@scs/protocol';
import { open, SealError, unpackSealed } from '@scs/proto/sealing.ts';
import { CliError } from './errors.ts';
import { readPublic, readSeed } from './keys/key-folder.ts';
import type { Opening } from './verify/subject.ts';

/** Throws CliError when the key doesn't fit or the content isn't a result of this envelope. `envelope`: hex digest. */
export const openResult = async (sealed: Uint8Array, resultSeed: string, envelope: string): Promise<TaskResult> => {
  const result = decode(await unseal(sealed, resultSeed, envelope));
  if (result.epsilon <= 0n) throw new CliError('ResultMalformed', 'What is inside the seal is not a result: its epsilon is not above 0.');
  if (result.envelope !== envelope) throw new CliError('ResultMismatch', 'The result inside the seal belongs to another task.');
  return result;
};

const unseal = async (sealed: Uint8Array, resultSeed: string, envelope: string): Promise<Uint8Array> => {
  try {
    return await open(resultSeed, 'task-result', unpackSealed(sealed), envelopeAad(envelope));
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new CliError(
      'ResultKeyWrong',
      'The result does not open with this key. Give --keys FOLDER of the submitter whose result key is in the task.',
    );
  }
};

/** Whoever sealed it may have sealed anything. */
const decode = (bytes: Uint8Array): TaskResult => {
  try {
    return decodeTaskResult(bytes);
  } catch (cause) {
    throw new CliError(
      'ResultMalformed',
      `What is inside the seal is not a result: ${cause instanceof Error ? cause.message.slice(0, 300) : String(cause)}`,
    );
  }
};

/**
 * The result for `verify`. A key that is not the task's is the user's affair and skips the line; the task's own key that opens
 * nothing, or something else, is a failure of the proof. Throws CliError when the folder holds no key.
 */
export const openWithFolder = async (sealed: Uint8Array, keys: string, task: Task): Promise<Opening> => {
  const { resultKey } = await readPublic(keys);
  if (resultKey !== task.spec.resultKey) return { kind: 'skipped', why: `${keys} is not the folder of spec.resultKey` };
  const seed = await readSeed(keys, 'result.key');
  try {
    return { kind: 'opened', result: await openResult(sealed, seed, task.status?.envelopeDigest ?? '') };
  } catch (cause) {
    if (cause instanceof CliError) return { kind: 'failed', problem: cause.message };
    throw cause;
  }
};
