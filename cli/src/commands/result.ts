/** `result`: opens the sealed result with the submitter's key. */
import { blobDigest } from '@scs/protocol';
import { readBundle } from '../bundle.ts';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { readSeed } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions, taskName } from '../kube.ts';
import { openResult } from '../open-result.ts';
import { resultJson, resultLines } from '../result-table.ts';

export const result: Command = {
  words: ['result'],
  summary: 'open the sealed result of a task',
  help: `kubectl symphony result task/NAME --keys FOLDER

  --keys FOLDER         the submitter's key folder (or $SCS_KEYS)
  -o, --output FORMAT   text or json
${KUBE_HELP}`,
  options: { ...kubeOptions, keys: { type: 'string' }, output: { type: 'string', short: 'o', default: 'text' } },
  run: async (invocation) => {
    const kube = connect(invocation);
    const task = await kube.task(taskName(invocation.positionals[0]));
    const keys = invocation.text('keys') ?? process.env['SCS_KEYS'];
    if (!keys) throw new CliError('KeysMissing', 'Which key? Give --keys FOLDER or set SCS_KEYS.');
    const bundle = await readBundle(kube, task);
    if (blobDigest(bundle.sealed) !== task.status?.result?.digest)
      throw new CliError('ResultMismatch', 'The sealed result is not the one that the masters certified. See kubectl symphony verify.');
    const opened = await openResult(bundle.sealed, await readSeed(keys, 'result.key'), task.status.envelopeDigest!);
    if (invocation.text('output') === 'json') return invocation.out(resultJson(opened));
    for (const line of resultLines(opened)) invocation.out(line);
    if (task.status.result?.provisional) invocation.out('Provisional: the challenge window is still open.');
    return undefined;
  },
};
