/** What all commands of money share: the chain, the wallet, the formats (rule K8). */
import { stringify } from 'yaml';
import { formatSym, parseSym } from '@scs/protocol';
import { Ledger } from '../chain/ledger.ts';
import type { Invocation, Options } from '../command.ts';
import { CliError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions, type FoundGenesis } from '../genesis-file.ts';
import { connect, KUBE_HELP, kubeOptions, type KubeAccess } from '../kube.ts';
import { formatOf } from '../options.ts';
import { openWallet, WALLET_HELP, walletOptions, type Wallet } from '../wallet.ts';

export const chainOptions = {
  ...kubeOptions,
  ...genesisOptions,
  'chain-url': { type: 'string' },
  output: { type: 'string', short: 'o', default: 'text' },
} as const satisfies Options;
export const moneyOptions = { ...chainOptions, ...walletOptions } as const satisfies Options;

export const CHAIN_HELP = `  --chain-url URL       Aptos fullnode REST API, ending in /v1 (or $SCS_CHAIN_URL)
  -o, --output FORMAT   text, json or yaml
${GENESIS_HELP}
${KUBE_HELP}`;
export const MONEY_HELP = `${WALLET_HELP}\n${CHAIN_HELP}`;

export interface OpenedChain {
  readonly ledger: Ledger;
  readonly found: FoundGenesis;
}
/** `--chain-url` or $SCS_CHAIN_URL. */
export const chainUrlOf = (invocation: Invocation): string | undefined =>
  invocation.text('chain-url') ?? invocation.variable('SCS_CHAIN_URL');

/** Throws CliError when no chain is named. Asks it nothing yet. */
export const openChain = async (invocation: Invocation, kube: () => KubeAccess): Promise<OpenedChain> => {
  const url = chainUrlOf(invocation);
  if (!url) throw new CliError('ChainUrlMissing', 'Which chain? Give --chain-url URL (ending in /v1) or set SCS_CHAIN_URL.');
  if (!/^https?:\/\/\S+$/.test(url))
    throw new CliError('ChainUrlInvalid', `${url} is not a URL. Give the fullnode's REST API, ending in /v1.`);
  const found = await findGenesis(invocation, kube);
  return { found, ledger: new Ledger(url, found.genesis, invocation.signal) };
};

export interface OpenedMoney extends OpenedChain {
  readonly wallet: Wallet;
}
/** The cluster is asked only for a Secret or a genesis that no file gives. */
export const openMoney = async (invocation: Invocation): Promise<OpenedMoney> => {
  const kube = () => connect(invocation);
  const wallet = await openWallet(invocation, kube);
  return { wallet, ...(await openChain(invocation, kube)) };
};

/** Prints `value` as JSON or YAML, or the lines that `text` makes of it. Checks `-o` at once: before anything is sent. */
export const printerOf = <T>(invocation: Invocation, text: (value: T) => readonly string[]): ((value: T) => void) => {
  const format = formatOf(invocation, ['text', 'json', 'yaml']);
  if (format === 'json') return (value) => invocation.out(JSON.stringify(value, null, 2));
  if (format === 'yaml') return (value) => invocation.out(stringify(value).trimEnd());
  return (value) => {
    for (const line of text(value)) invocation.out(line);
  };
};

/** Rows under each other; all columns but the last are padded. */
export const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
};

/** Throws CliError `AmountInvalid`. */
export const amountOf = (text: string): bigint => {
  try {
    return parseSym(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CliError('AmountInvalid', `${text} is not an amount of SYM: ${cause.message}.`);
  }
};
export const sym = (amount: bigint): string => `${formatSym(amount)} SYM`;
