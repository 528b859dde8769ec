/** `masters`: how the three masters stand, from their own metrics. */
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { connect, kubeOptions } from '../kube.ts';
import { type MasterFigures, mastersLines, parseMetrics } from '../masters-table.ts';

const HEALTH_PORT = 8080;

export const masters: Command = {
  words: ['masters'],
  summary: 'show who leads, how far each master is, whose counter counts',
  help: `kubectl symphony masters -n NAMESPACE

Reads the metrics of scs-master-0 to scs-master-2 through the API server (needs "get" on pods/proxy). It is what the masters say
of themselves; "verify" and "replay" check what they decided. Conditions are explained in docs/troubleshooting.md.

  -n, --namespace NS    namespace of the masters (default: the context's)
  --context NAME        kubeconfig context
  --kubeconfig FILE     kubeconfig file`,
  options: { ...kubeOptions },
  arguments: 0,
  run: async (invocation) => {
    const kube = connect(invocation);
    const figures = async (index: number): Promise<MasterFigures> => {
      try {
        const text = await kube.fromPod(kube.namespace, `scs-master-${index}-0`, HEALTH_PORT, 'metrics');
        return text === undefined ? undefined : parseMetrics(text);
      } catch (cause) {
        if (cause instanceof CliError) invocation.err(`master ${index}: ${cause.message}`);
        else throw cause;
        return undefined;
      }
    };
    for (const line of mastersLines(await Promise.all([0, 1, 2].map(figures)))) invocation.out(line);
  },
};
