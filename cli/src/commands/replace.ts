/** `replace`: a master's seat goes to another durable key, by two masters' word (rules G5, P5); the runbook is in docs/troubleshooting.md. */
import { writeFile } from 'node:fs/promises';
import { committeeOf, encodeGenesisFile, genesisDigest, publicKeyOf, signSeat, successionOf } from '@scs/protocol';
import { askSuccession, SuccessionForked } from '@scs/proto/ask-succession.ts';
import { MastersUnavailable } from '@scs/proto/masters-client.ts';
import { printApproval } from '../approval.ts';
import type { Command } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readMasterFolder } from '../keys/master-folder.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
import { MASTERS_HELP, mastersOptions, wayToMasters } from '../masters-way.ts';
import { keysOf, keysOptions } from '../options.ts';

const replacePropose: Command = {
  words: ['replace', 'propose'],
  summary: "write the statement that gives a master's seat to another durable key",
  help: `kubectl symphony replace propose --master 1 --keys new/master-1 > replace.json

The new master says with its own key which seat it takes. Two of the three masters then approve it
(kubectl symphony approve), and anyone brings it to them (decide); it takes effect at the end of the epoch.

  --master INDEX        the seat, 0 to 2
  --keys FOLDER         key folder of the new master (keygen master)
${GENESIS_HELP}
${KUBE_HELP}`,
  options: { ...kubeOptions, ...genesisOptions, ...keysOptions, master: { type: 'string' } },
  run: async (invocation) => {
    const index = invocation.required('master');
    if (!/^[012]$/.test(index)) throw new UsageError(`--master takes 0, 1 or 2, not ${index}.`);
    const { genesis } = await findGenesis(invocation, () => connect(invocation));
    const { seed, tlsAuthority, rewardAddress } = await readMasterFolder(keysOf(invocation));
    const publicKey = publicKeyOf(seed);
    if (genesis.masters.some((m) => m.publicKey === publicKey))
      throw new CliError('WrongKey', 'That key is a master of this genesis already. Make another with kubectl symphony keygen master.');
    const generation = committeeOf(genesis).generation + 1n;
    const terms = { generation, master: Number(index), publicKey, tlsAuthority, rewardAddress };
    const statement = signSeat(seed, genesisDigest(genesis), terms);
    invocation.out(printApproval({ type: 'master.replace', statement, approvals: [] }));
  },
};

const replaceFinish: Command = {
  words: ['replace', 'finish'],
  summary: 'write the genesis file with which all programs go on after a replacement',
  help: `kubectl symphony replace finish --keys FOLDER --masters A:7444,B:7444,C:7444 --genesis genesis.bin --out genesis-1.bin

Once the epoch has ended and masters say GenerationOver. Any one of them is enough: what it gives proves itself.
The group keeps its digest; give the new file to both charts (--set-file genesis=...).

${MASTERS_HELP}
  --out FILE            where to write
${GENESIS_HELP}
${KUBE_HELP}`,
  options: { ...kubeOptions, ...genesisOptions, ...mastersOptions, out: { type: 'string' } },
  run: async (invocation) => {
    const out = invocation.required('out');
    const { genesis } = await findGenesis(invocation, () => connect(invocation));
    const now = await askSuccession({ ...(await wayToMasters(invocation)), genesis }).catch((cause: unknown): never => {
      if (cause instanceof SuccessionForked) throw new CliError(cause.code, `Stop: ${cause.message}.`);
      if (!(cause instanceof MastersUnavailable)) throw cause;
      throw new CliError('MastersUnavailable', 'No master answers there. Check --masters, and that they run.');
    });
    if (!now)
      throw new CliError(
        'NotHandedOver',
        'No master knows of a later generation than this file. It begins at the end of the epoch in which the replacement was decided.',
      );
    const { first, links } = successionOf(now);
    await writeFile(out, encodeGenesisFile(first, links)).catch((cause: unknown) => {
      throw new CliError('FileUnwritable', `${out} can't be written: ${cause instanceof Error ? cause.message : String(cause)}`);
    });
    const { generation, base, keys } = committeeOf(now);
    invocation.out(`${out}: generation ${generation} begins above height ${base?.height ?? 0n}, with masters`);
    for (const key of keys) invocation.out(`  ${key}`);
  },
};

export const replaceCommands: readonly Command[] = [replacePropose, replaceFinish];
