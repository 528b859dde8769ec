/** `settlement N`: a batch, its root, its transaction, its tasks, on chain and by the masters (rules P1-P4). */
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { findGenesis } from '../genesis-file.ts';
import { connect, type KubeAccess } from '../kube.ts';
import { CHAIN_HELP, chainOptions, chainUrlOf, openChain, printerOf } from '../money/money.ts';
import { batchNumberOf, settlementLines, shownSettlement, type SettlementSources } from '../money/settlement-view.ts';

const onChain = async (invocation: Invocation, kube: () => KubeAccess, number: bigint): Promise<SettlementSources['chain']> => {
  if (!chainUrlOf(invocation)) return undefined;
  const { ledger } = await openChain(invocation, kube);
  await ledger.check();
  const batch = await ledger.batch(number);
  return batch ? { batch, transaction: await ledger.settlementTransaction(number) } : null;
};

const inCluster = async (
  invocation: Invocation,
  kube: () => KubeAccess,
  number: bigint,
): Promise<Pick<SettlementSources, 'object' | 'tasks'>> => {
  if (invocation.flag('chain-only')) return { object: undefined, tasks: [] };
  const cluster = kube();
  const [object, tasks] = await Promise.all([cluster.settlement(`settlement-${number}`), cluster.tasks(cluster.namespace)]);
  return { object, tasks };
};

export const settlement: Command = {
  words: ['settlement'],
  summary: 'show a settlement batch: root, transaction, tasks and their states',
  help: `kubectl symphony settlement NUMBER

Asks the chain, if --chain-url names one, and the cluster: both sides side by side, exit code 1 if they differ. Names and states
are shown of the tasks in the namespace (-n).

  --chain-only          ask the chain alone
${CHAIN_HELP}`,
  options: { ...chainOptions, 'chain-only': { type: 'boolean' } },
  arguments: 1,
  run: async (invocation) => {
    const [word] = invocation.positionals;
    if (!word) throw new UsageError('Which batch? kubectl symphony settlement NUMBER.');
    const number = batchNumberOf(word);
    const print = printerOf(invocation, settlementLines);
    const kube = () => connect(invocation);
    const { genesis } = await findGenesis(invocation, kube);
    const [chain, cluster] = await Promise.all([onChain(invocation, kube, number), inCluster(invocation, kube, number)]);
    if (!chain && !cluster.object)
      throw new CliError(
        'BatchUnknown',
        `There is no batch ${number}: ${chain === null ? 'the chain has not accepted it' : 'no --chain-url was given'}, and the cluster shows none.`,
      );
    const shown = shownSettlement({ number, genesis, chain, ...cluster });
    print(shown);
    if (shown.differences.length > 0) throw new CliError('SettlementDiffers', `Chain and masters differ: ${shown.differences.join(', ')}.`);
  },
};
