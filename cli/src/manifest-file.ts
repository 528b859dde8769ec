/** `-f FILE`, where `-` is standard input. */
import type { Invocation } from './command.ts';
import { readText } from './keys/key-folder.ts';

export interface ManifestText {
  /** For messages. */
  readonly file: string;
  readonly yaml: string;
}
/** Throws UsageError without -f, CliError when the file can't be read. */
export const readManifestFile = async (invocation: Invocation): Promise<ManifestText> => {
  const file = invocation.required('file');
  return file === '-'
    ? { file: 'standard input', yaml: await invocation.input() }
    : { file, yaml: await readText(file, 'a Task manifest') };
};
