/** `account`, `fund`, `withdraw`, `claim`: SYM of one key (rules K2, K8). */
import { stringify } from 'yaml';
import { formatSym, parseSym, type Genesis } from '@scs/protocol';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readPublic, readSeed } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
import { formatOf, keysOf, keysOptions } from '../options.ts';
import { Wallet, type AccountView, type Receipt } from '../wallet.ts';

const options = {
  ...kubeOptions,
  ...genesisOptions,
  ...keysOptions,
  'chain-url': { type: 'string' },
  output: { type: 'string', short: 'o', default: 'text' },
} as const;
const HELP = `  --keys FOLDER         key folder of the account (or $SCS_KEYS)
  --chain-url URL       Aptos fullnode REST API, ending in /v1 (or $SCS_CHAIN_URL)
  -o, --output FORMAT   text, json or yaml
${GENESIS_HELP}
${KUBE_HELP}`;

const open = async (invocation: Invocation) => {
  const keys = keysOf(invocation);
  const { genesis } = await findGenesis(invocation, () => connect(invocation));
  const wallet = walletOf(invocation, genesis);
  await wallet.check();
  return { wallet, keys, identity: await readPublic(keys) };
};

/** `--chain-url` or $SCS_CHAIN_URL. */
export const chainUrlOf = (invocation: Invocation): string | undefined =>
  invocation.text('chain-url') ?? invocation.variable('SCS_CHAIN_URL');

const walletOf = (invocation: Invocation, genesis: Genesis): Wallet => {
  const url = chainUrlOf(invocation);
  if (!url) throw new CliError('ChainUrlMissing', 'Which chain? Give --chain-url URL (ending in /v1) or set SCS_CHAIN_URL.');
  return new Wallet(url, genesis);
};

/** Amounts in SYM as decimal strings, times in RFC 3339: what `-o json` prints. */
interface Shown {
  readonly transaction?: string;
  readonly gas?: string;
  readonly account: string;
  readonly balance: string;
  readonly escrow: string;
  readonly withdrawing: string;
  readonly ripensAt?: string;
  readonly expiresAt?: string;
  readonly debt: string;
  readonly claimable: string;
}
const timeOf = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString();
const shown = (view: AccountView): Shown => ({
  account: view.address,
  balance: formatSym(view.balance),
  escrow: formatSym(view.escrow),
  withdrawing: formatSym(view.withdrawing),
  ...(view.withdrawing > 0n && { ripensAt: timeOf(view.ripensAt), expiresAt: timeOf(view.expiresAt) }),
  debt: formatSym(view.debt),
  claimable: formatSym(view.claimable),
});

const textLines = ({ transaction, gas, ...view }: Shown): readonly (readonly [string, string])[] => [
  ...(transaction === undefined ? [] : [['transaction', transaction] as const]),
  ...(gas === undefined ? [] : [['gas', gas] as const]),
  ['account', view.account],
  ['balance', `${view.balance} SYM`],
  ['escrow', `${view.escrow} SYM`],
  ['withdrawing', `${view.withdrawing} SYM${view.ripensAt ? `, ripe at ${view.ripensAt}, unless unused by ${view.expiresAt}` : ''}`],
  ['debt', `${view.debt} SYM`],
  ['claimable', `${view.claimable} SYM`],
];

const printer = (invocation: Invocation): ((fields: Shown) => void) => {
  const format = formatOf(invocation, ['text', 'json', 'yaml']);
  if (format === 'json') return (fields) => invocation.out(JSON.stringify(fields, null, 2));
  if (format === 'yaml') return (fields) => invocation.out(stringify(fields).trimEnd());
  return (fields) => {
    for (const [name, value] of textLines(fields)) invocation.out(`${name.padEnd(14)}${value}`);
  };
};

export const account: Command = {
  words: ['account'],
  summary: 'show balance, escrow, debts and what can be claimed',
  help: `kubectl symphony account --keys FOLDER\n\n${HELP}`,
  options,
  run: async (invocation) => {
    const print = printer(invocation);
    const { wallet, identity } = await open(invocation);
    print(shown(await wallet.account(identity.address)));
  },
};

interface Transaction {
  readonly word: string;
  readonly summary: string;
  readonly synopsis: string;
  /** Entry function and its arguments, from the words after the command. Throws UsageError or CliError. */
  readonly call: (words: readonly string[]) => readonly [string, bigint[]];
}
/** A command that calls one entry function and then shows the account. */
const transaction = ({ word, summary, synopsis, call }: Transaction): Command => ({
  words: [word],
  summary,
  help: `kubectl symphony ${synopsis} --keys FOLDER\n\n  --dry-run             simulate only\n${HELP}`,
  options: { ...options, 'dry-run': { type: 'boolean' } },
  arguments: synopsis.includes('AMOUNT') ? 1 : 0,
  run: async (invocation) => {
    const print = printer(invocation);
    const [name, args] = call(invocation.positionals);
    const { wallet, keys, identity } = await open(invocation);
    const receipt: Receipt = await wallet.call(await readSeed(keys, 'actor.key'), name, args, invocation.flag('dry-run'));
    print({ transaction: receipt.hash ?? 'none: a dry run', gas: receipt.gas, ...shown(await wallet.account(identity.address)) });
  },
});

const amountOf = (text: string): bigint => {
  try {
    return parseSym(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CliError('AmountInvalid', `${text} is not an amount of SYM: ${cause.message}.`);
  }
};

export const fund = transaction({
  word: 'fund',
  summary: 'move SYM from the account into its escrow, for tasks',
  synopsis: 'fund AMOUNT',
  call: ([amount]) => {
    if (!amount) throw new UsageError('How much? kubectl symphony fund AMOUNT, in SYM.');
    return ['escrow::deposit', [amountOf(amount)]];
  },
});
export const withdraw = transaction({
  word: 'withdraw',
  summary: 'ask for SYM back from escrow (AMOUNT), or collect what is ripe',
  synopsis: 'withdraw [AMOUNT]',
  call: ([amount]) => (amount ? ['escrow::request_withdrawal', [amountOf(amount)]] : ['escrow::withdraw', []]),
});
export const claim = transaction({
  word: 'claim',
  summary: 'collect what the account has earned',
  synopsis: 'claim',
  call: () => ['rewards::claim', []],
});
