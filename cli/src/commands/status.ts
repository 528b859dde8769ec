/** `status`: where a task stands and what it waits for. */
import { stringify } from 'yaml';
import type { Command } from '../command.ts';
import { connect, KUBE_HELP, kubeOptions, taskName } from '../kube.ts';
import { formatOf } from '../options.ts';
import { summaryLines, taskSummary } from '../task-summary.ts';

export const status: Command = {
  words: ['status'],
  summary: 'show where a task stands, what it waits for, its fee',
  help: `kubectl symphony status task/NAME

Shows what the masters wrote into the task's status. It is a view; "verify" checks the proof.

  -o, --output FORMAT   text, json or yaml
${KUBE_HELP}`,
  options: { ...kubeOptions, output: { type: 'string', short: 'o', default: 'text' } },
  arguments: 1,
  run: async (invocation) => {
    const name = taskName(invocation.positionals[0]);
    const format = formatOf(invocation, ['text', 'json', 'yaml']);
    const summary = taskSummary(await connect(invocation).task(name));
    if (format === 'json') invocation.out(JSON.stringify(summary, null, 2));
    else if (format === 'yaml') invocation.out(stringify(summary).trimEnd());
    else for (const line of summaryLines(summary)) invocation.out(line);
  },
};
