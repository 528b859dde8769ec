/** `result`: opens the sealed result with the submitter's key. */
import { blobDigest } from '@scs/protocol';
import { readBundle } from '../bundle.ts';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { readSeed } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions, taskName } from '../kube.ts';
import { openResult } from '../open-result.ts';
import { formatOf, keysOf, keysOptions } from '../options.ts';
import { resultJson, resultLines } from '../result-table.ts';

export const result: Command = {
  words: ['result'],
  summary: 'open the sealed result of a task',
  help: `kubectl symphony result task/NAME --keys FOLDER

  --keys FOLDER         the submitter's key folder (or $SCS_KEYS)
  -o, --output FORMAT   text or json
${KUBE_HELP}`,
  options: { ...kubeOptions, ...keysOptions, output: { type: 'string', short: 'o', default: 'text' } },
  arguments: 1,
  run: async (invocation) => {
    const name = taskName(invocation.positionals[0]);
    const format = formatOf(invocation, ['text', 'json']);
    const keys = keysOf(invocation);
    const kube = connect(invocation);
    const task = await kube.task(name);
    const { sealed } = await readBundle(kube, task);
    const { result: handed, envelopeDigest } = task.status ?? {};
    if (!envelopeDigest || blobDigest(sealed) !== handed?.digest)
      throw new CliError('ResultMismatch', 'The sealed result is not the one that the status names. See kubectl symphony verify.');
    const opened = await openResult(sealed, await readSeed(keys, 'result.key'), envelopeDigest);
    if (format === 'json') return invocation.out(resultJson(opened));
    for (const line of resultLines(opened)) invocation.out(line);
    if (handed.provisional) invocation.out('Provisional: the challenge window is still open.');
    return undefined;
  },
};
