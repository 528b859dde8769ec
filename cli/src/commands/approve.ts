/** `approve` and `decide`: what needs two masters' word (rule G5), from the first signature to the masters' decision. */
import { join } from 'node:path';
import { genesisDigest } from '@scs/protocol';
import { createMasters, MastersUnavailable } from '@scs/proto/masters-client.ts';
import { commandOf, readApproval, withApproval } from '../approval.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readSeed, readText } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
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
Statements are budget.replenish, catalogue.change and version.activate:

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
    invocation.out(JSON.stringify(approved, null, 2));
  },
};

const addressesOf = (invocation: Invocation): readonly string[] => {
  const addresses = invocation.required('masters').split(',');
  if (addresses.length !== 3 || addresses.some((address) => !/^[a-zA-Z0-9.-]{1,253}:\d{1,5}$/.test(address)))
    throw new UsageError('--masters takes three addresses in the order of the genesis, such as a:7444,b:7444,c:7444.');
  return addresses;
};

export const decide: Command = {
  words: ['decide'],
  summary: 'bring a statement that two masters approved to the masters',
  help: `kubectl symphony decide -f approval.json --keys FOLDER --masters A:7444,B:7444,C:7444

  -f, --file FILE       what the second approve printed; - reads standard input
  --keys FOLDER         key folder of a master or an enterprise: whose certificate opens the connection
  --masters ADDRESSES   public ports of the three masters, in the order of the genesis; kubectl port-forward makes them reachable
${GENESIS_HELP}
${KUBE_HELP}`,
  options: { ...fileOptions, masters: { type: 'string' } },
  run: async (invocation) => {
    const { approval, genesis } = await approvalOf(invocation);
    const command = commandOf(approval, genesis);
    const keys = keysOf(invocation);
    const tls = {
      certificatePem: await readText(join(keys, 'tls.crt'), 'a TLS certificate'),
      keyPem: await readText(join(keys, 'tls.key'), 'a TLS key'),
    };
    const masters = createMasters({ addresses: addressesOf(invocation), tls, genesis, genesisDigest: genesisDigest(genesis) });
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
