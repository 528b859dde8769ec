/** `approve` and `decide`: what needs two masters' word (rule G5), from the first signature to the masters' decision. */
import { genesisDigest } from '@scs/protocol';
import { createMasters, MastersUnavailable } from '@scs/proto/masters-client.ts';
import { commandOf, printApproval, readApproval, withApproval } from '../approval.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readSeed } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
import { MASTERS_HELP, mastersOptions, wayToMasters } from '../masters-way.ts';
import { readManifestFile } from '../manifest-file.ts';
import { keysOf, keysOptions } from '../options.ts';
import { parseYaml } from '../yaml-file.ts';

const fileOptions = { ...kubeOptions, ...genesisOptions, ...keysOptions, file: { type: 'string', short: 'f' } } as const;

const approvalOf = async (invocation: Invocation) => {
  const { file, yaml } = await readManifestFile(invocation);
  const { genesis } = await findGenesis(invocation, () => connect(invocation));
  return { approval: readApproval(parseYaml(yaml, file, 'ApprovalInvalid'), file), genesis };
};

export const approve: Command = {
  words: ['approve'],
  summary: "add a master's approval to a statement that needs two",
  help: `kubectl symphony approve -f statement.yaml --keys FOLDER > approval.json

Signs the statement with the master's durable key and prints the file with all approvals so far; the next master runs it on that.
Statements are budget.replenish, catalogue.change, version.activate, and master.replace, which
kubectl symphony replace propose writes:

  type: budget.replenish
  statement: { usage: marketing, epoch: 12 }      the epoch that is open; it takes effect at its end
  type: version.activate
  statement: { version: 2 }                       once all three masters carry it; at the end of the epoch

  -f, --file FILE       the statement, or what another master's approve printed; - reads standard input
  --keys FOLDER         the master's key folder
${GENESIS_HELP}
${KUBE_HELP}`,
  options: fileOptions,
  run: async (invocation) => {
    const { approval, genesis } = await approvalOf(invocation);
    const approved = withApproval(approval, genesis, await readSeed(keysOf(invocation), 'durable.key'));
    invocation.out(printApproval(approved));
  },
};

export const decide: Command = {
  words: ['decide'],
  summary: 'bring a statement that two masters approved to the masters',
  help: `kubectl symphony decide -f approval.json --keys FOLDER --masters A:7444,B:7444,C:7444

  -f, --file FILE       what the second approve printed; - reads standard input
${MASTERS_HELP}
${GENESIS_HELP}
${KUBE_HELP}`,
  options: { ...fileOptions, ...mastersOptions },
  run: async (invocation) => {
    const { approval, genesis } = await approvalOf(invocation);
    const command = commandOf(approval, genesis);
    const masters = createMasters({ ...(await wayToMasters(invocation)), genesis, genesisDigest: genesisDigest(genesis) });
    try {
      const reply = await masters.submit(command, { signal: invocation.signal });
      if (!reply.ok) throw new CliError(reply.code, `The masters do not take it: ${reply.message}.`);
      invocation.out(`decided at height ${reply.height}`);
    } catch (cause) {
      if (!(cause instanceof MastersUnavailable)) throw cause;
      throw new CliError('MastersUnavailable', 'No two masters answer there. Check --masters, and that they are ready.');
    } finally {
      masters.close();
    }
  },
};
