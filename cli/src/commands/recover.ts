/** `recover`: two of three offline keys appoint the masters' next generation (rule N9); the runbook is in docs/troubleshooting.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { encodeGenesisFile, readGenesisFile } from '@scs/protocol';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readSeed, readText } from '../keys/key-folder.ts';
import { readMasterFolder } from '../keys/master-folder.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
import { CHAIN_HELP, chainOptions, chainUrlOf, openChain, printerOf, table } from '../money/money.ts';
import { transact, TRANSACTION_HELP, transactionOptions } from '../money/transact.ts';
import { keysOf, keysOptions } from '../options.ts';
import { Ledger } from '../chain/ledger.ts';
import {
  cancelCall,
  certificateOfLine,
  claimLines,
  completed,
  newClaim,
  openCall,
  readLink,
  recoveryStatus,
  sameStatus,
  signLink,
  writeLink,
  type NewMaster,
} from '../recovery.ts';

const fileOption = { file: { type: 'string', short: 'f' } } as const;
const FILE_HELP = `  -f, --file FILE       the recovery: what recover claim wrote`;
const fileOf = async (invocation: Invocation) => {
  const file = invocation.required('file');
  return { file, link: readLink(await readText(file, 'a recovery file'), file) };
};
const write = (path: string, content: string | Uint8Array): Promise<void> =>
  writeFile(path, content).catch((cause: unknown) => {
    throw new CliError('FileUnwritable', `${path} can't be written: ${cause instanceof Error ? cause.message : String(cause)}`);
  });

const lastLine = async (log: string): Promise<string> => (await readText(log, 'a log')).trimEnd().split('\n').at(-1) ?? '';

/** `1=keys/master-1`: index and key folder. */
const newMaster = async (word: string): Promise<NewMaster> => {
  const [, index, folder] = /^([012])=(.+)$/.exec(word) ?? [];
  if (!index || !folder) throw new UsageError(`--replace takes INDEX=FOLDER, such as 1=keys/master-1, not ${word}.`);
  return { master: Number(index), ...(await readMasterFolder(folder)) };
};

const recoverClaim: Command = {
  words: ['recover', 'claim'],
  summary: 'say from where, and with which masters, a lost group goes on',
  help: `kubectl symphony recover claim --log LOG --out recovery.json [--replace INDEX=FOLDER ...]

The next generation of masters begins above the last certified block that anybody has: take the log of the master that is
furthest.

  --log FILE            its log: kubectl exec ... main.mjs log > FILE; the last block is what counts
  --out FILE            where to write the claim, which two recovery keys then sign
  --replace I=FOLDER    master I gets another durable key: that of this key folder (keygen master); repeatable
${CHAIN_HELP}`,
  options: { ...chainOptions, log: { type: 'string' }, out: { type: 'string' }, replace: { type: 'string', multiple: true } },
  run: async (invocation) => {
    const [log, out] = [invocation.required('log'), invocation.required('out')];
    const { ledger, found } = await openChain(invocation, () => connect(invocation));
    await ledger.check();
    const last = await lastLine(log);
    const replaced = await Promise.all(invocation.texts('replace').map(newMaster));
    const link = newClaim(found.genesis, await recoveryStatus(ledger), certificateOfLine(last, found.genesis).head, replaced);
    await write(out, writeLink(link));
    const { generation, height, keys } = link.claim;
    invocation.out(`${out}: generation ${generation} begins above height ${height}, with masters`);
    for (const key of keys) invocation.out(`  ${key}`);
  },
};

const recoverSign: Command = {
  words: ['recover', 'sign'],
  summary: 'sign a recovery with one of the three offline keys',
  help: `kubectl symphony recover sign -f recovery.json --keys FOLDER [--yes]

Says what would be signed; with --yes it signs. Compare each line with what you were told by another way, above
all the masters. Offline: needs the genesis file and the key folder of keygen recovery, no chain and no cluster.
Adds its signature to the file.

${FILE_HELP}
  --keys FOLDER         key folder of a recovery key
  --yes                 what it says is what you want
${GENESIS_HELP}
${KUBE_HELP}`,
  options: { ...kubeOptions, ...genesisOptions, ...keysOptions, ...fileOption, yes: { type: 'boolean' } },
  run: async (invocation) => {
    const { file, link } = await fileOf(invocation);
    const { genesis } = await findGenesis(invocation, () => connect(invocation));
    for (const line of claimLines(genesis, link)) invocation.out(line);
    if (!invocation.flag('yes'))
      throw new CliError('NotConfirmed', 'Nothing is signed. If each line above is what you want, run it again with --yes.');
    const signed = signLink(genesis, link, await readSeed(keysOf(invocation), 'recovery.key'));
    await write(file, writeLink(signed));
    invocation.out(`${file}: signed by recovery keys ${signed.signatures.map(({ key }) => key).join(' and ')}`);
  },
};

const recoverOpen: Command = {
  words: ['recover', 'open'],
  summary: 'bring a signed recovery to the chain; its delay begins',
  help: `kubectl symphony recover open -f recovery.json --keys FOLDER

Whoever holds a certificate of a higher height may end it meanwhile. The account only pays gas.

${FILE_HELP}
${TRANSACTION_HELP}`,
  options: { ...transactionOptions, ...fileOption },
  run: async (invocation) => {
    const { link } = await fileOf(invocation);
    return transact(invocation, ({ found }) => Promise.resolve([openCall(found.genesis, link)]));
  },
};

const recoverCancel: Command = {
  words: ['recover', 'cancel'],
  summary: 'end a recovery by a block that was certified above the height it starts from',
  help: `kubectl symphony recover cancel --log LOG --keys FOLDER

For a recovery that was opened from too low a height, or by stolen keys: while it is not completed, anyone with
a certificate of a higher block ends it. The account only pays gas.

  --log FILE            log of a master: kubectl exec ... main.mjs log > FILE; the last block is what counts
${TRANSACTION_HELP}`,
  options: { ...transactionOptions, log: { type: 'string' } },
  run: async (invocation) => {
    const last = await lastLine(invocation.required('log'));
    return transact(invocation, async ({ found, ledger }) => [
      cancelCall(certificateOfLine(last, found.genesis), await recoveryStatus(ledger)),
    ]);
  },
};

const recoverComplete: Command = {
  words: ['recover', 'complete'],
  summary: "make a recovery's masters the chain's, after the delay; anyone may",
  help: `kubectl symphony recover complete --keys FOLDER

${TRANSACTION_HELP}`,
  options: transactionOptions,
  run: (invocation) => transact(invocation, () => Promise.resolve([{ name: 'recovery::complete', args: [] }])),
};

interface ShownStatus {
  readonly generation: string;
  readonly highest: string;
  readonly pending: { readonly generation: string; readonly height: string; readonly ripensAt: string } | null;
}
const recoverStatus: Command = {
  words: ['recover', 'status'],
  summary: 'generation of the masters on chain, and the recovery under way',
  help: `kubectl symphony recover status

${CHAIN_HELP}`,
  options: chainOptions,
  run: async (invocation) => {
    const print = printerOf<ShownStatus>(invocation, ({ generation, highest, pending }) =>
      table([
        ['generation', generation],
        ['certified', `up to height ${highest}, as far as the chain was shown`],
        [
          'recovery',
          pending ? `to generation ${pending.generation} above height ${pending.height}, ripe at ${pending.ripensAt}` : 'none under way',
        ],
      ]),
    );
    const { ledger } = await openChain(invocation, () => connect(invocation));
    const { generation, highest, pending } = await recoveryStatus(ledger);
    const shown = pending && {
      generation: `${pending.generation}`,
      height: `${pending.height}`,
      ripensAt: new Date(Number(pending.ripensAt) * 1000).toISOString(),
    };
    print({ generation: `${generation}`, highest: `${highest}`, pending: shown ?? null });
  },
};

const recoverFinish: Command = {
  words: ['recover', 'finish'],
  summary: 'write the genesis file with which all programs go on',
  help: `kubectl symphony recover finish -f recovery.json --genesis genesis.bin --out genesis-1.bin --second-url URL

Once the chain has completed the recovery. The group keeps its digest; give the new file to both charts (--set-file genesis=...).

${FILE_HELP}
  --out FILE            where to write
  --second-url URL      another node's REST API, of somebody else: that the recovery is completed must be so at both
  --one-node            there is no other node (a devnet): believe the one
${CHAIN_HELP}`,
  options: { ...chainOptions, ...fileOption, out: { type: 'string' }, 'second-url': { type: 'string' }, 'one-node': { type: 'boolean' } },
  run: async (invocation) => {
    const out = invocation.required('out');
    const { link } = await fileOf(invocation);
    const path = invocation.text('genesis') ?? invocation.variable('SCS_GENESIS');
    if (!path) throw new CliError('GenesisMissing', 'Which genesis goes on? Give --genesis FILE or set SCS_GENESIS.');
    const second = invocation.text('second-url');
    if (!second && !invocation.flag('one-node'))
      throw new UsageError('Which second node? One alone may lie to you: give --second-url URL, or --one-node where there is no other.');
    if (second && second === chainUrlOf(invocation)) throw new UsageError('--second-url names the same node as --chain-url.');
    const { ledger, found } = await openChain(invocation, () => connect(invocation));
    const { first, links } = readGenesisFile(await readFile(path)); // readable, or openChain had refused it
    const nodes = [ledger, ...(second ? [new Ledger(second, found.genesis, invocation.signal)] : [])];
    for (const node of nodes) await node.check();
    const [one, other] = await Promise.all(nodes.map((node) => recoveryStatus(node)));
    const all = completed(first, links, link, sameStatus(one!, other ?? one!));
    await write(out, encodeGenesisFile(first, all));
    invocation.out(`${out}: generation ${link.claim.generation}, above height ${link.claim.height}`);
  },
};

export const recoverCommands: readonly Command[] = [
  recoverClaim,
  recoverSign,
  recoverOpen,
  recoverStatus,
  recoverCancel,
  recoverComplete,
  recoverFinish,
];
