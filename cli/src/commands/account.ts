/** `account`, `fund`, `withdraw`, `claim`: SYM of one key (rules K2, K8). */
import { stringify } from 'yaml';
import { formatSym, parseSym } from '@scs/protocol';
import type { Command, Invocation } from '../command.ts';
import { CliError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readPublic, readSeed } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
import { Wallet, type AccountView } from '../wallet.ts';

const options = {
  ...kubeOptions,
  ...genesisOptions,
  keys: { type: 'string' },
  'chain-url': { type: 'string' },
  'dry-run': { type: 'boolean' },
  output: { type: 'string', short: 'o', default: 'text' },
} as const;
const HELP = `  --keys FOLDER         key folder of the account (or $SCS_KEYS)
  --chain-url URL       Aptos fullnode REST API, ending in /v1 (or $SCS_CHAIN_URL)
  --dry-run             simulate only
  -o, --output FORMAT   text, json or yaml
${GENESIS_HELP}
${KUBE_HELP}`;

const open = async (invocation: Invocation) => {
  const keys = invocation.text('keys') ?? process.env['SCS_KEYS'];
  if (!keys) throw new CliError('KeysMissing', 'Which account? Give --keys FOLDER or set SCS_KEYS.');
  const { genesis } = await findGenesis(invocation, connect(invocation));
  const wallet = walletOf(invocation, genesis);
  await wallet.check();
  return { wallet, keys, identity: await readPublic(keys) };
};

export const walletOf = (invocation: Invocation, genesis: ConstructorParameters<typeof Wallet>[1]): Wallet => {
  const url = invocation.text('chain-url') ?? process.env['SCS_CHAIN_URL'];
  if (!url) throw new CliError('ChainUrlMissing', 'Which chain? Give --chain-url URL (ending in /v1) or set SCS_CHAIN_URL.');
  return new Wallet(url, genesis);
};

const print = ({ out, text }: Invocation, fields: Readonly<Record<string, string>>): void => {
  const format = text('output');
  if (format === 'json') out(JSON.stringify(fields, null, 2));
  else if (format === 'yaml') out(stringify(fields).trimEnd());
  else if (format === 'text') for (const [name, value] of Object.entries(fields)) out(`${name.padEnd(14)}${value}`);
  else throw new CliError('Usage', `-o takes text, json or yaml, not ${format}.`);
};

const fieldsOf = (view: AccountView): Record<string, string> => ({
  account: view.address,
  balance: `${formatSym(view.balance)} SYM`,
  escrow: `${formatSym(view.escrow)} SYM`,
  withdrawing:
    view.withdrawing === 0n
      ? '0 SYM'
      : `${formatSym(view.withdrawing)} SYM, ripe at ${new Date(Number(view.ripensAt) * 1000).toISOString()}, unless unused by ${new Date(Number(view.expiresAt) * 1000).toISOString()}`,
  debt: `${formatSym(view.debt)} SYM`,
  claimable: `${formatSym(view.claimable)} SYM`,
});

export const account: Command = {
  words: ['account'],
  summary: 'show balance, escrow, debts and what can be claimed',
  help: `kubectl symphony account --keys FOLDER\n\n${HELP}`,
  options,
  run: async (invocation) => {
    const { wallet, identity } = await open(invocation);
    print(invocation, fieldsOf(await wallet.account(identity.address)));
  },
};

/** A command that calls one entry function and then shows the account. */
const transaction = (
  word: string,
  summary: string,
  synopsis: string,
  call: (wallet: Wallet, seed: string, amount: () => bigint, dryRun: boolean) => Promise<{ hash: string; gas: string }>,
): Command => ({
  words: [word],
  summary,
  help: `kubectl symphony ${synopsis} --keys FOLDER\n\n${HELP}`,
  options,
  run: async (invocation) => {
    const { wallet, keys, identity } = await open(invocation);
    const amount = () => {
      const text = invocation.positionals[0];
      if (!text) throw new CliError('Usage', `How much? kubectl symphony ${word} AMOUNT, in SYM.`);
      try {
        return parseSym(text);
      } catch (cause) {
        throw new CliError(
          'AmountInvalid',
          `${text} is not an amount of SYM: ${cause instanceof RangeError ? cause.message : String(cause)}.`,
        );
      }
    };
    const receipt = await call(wallet, await readSeed(keys, 'actor.key'), amount, invocation.flag('dry-run'));
    print(invocation, { transaction: receipt.hash, gas: receipt.gas, ...fieldsOf(await wallet.account(identity.address)) });
  },
});

export const fund = transaction(
  'fund',
  'move SYM from the account into its escrow, for tasks',
  'fund AMOUNT',
  (wallet, seed, amount, dryRun) => wallet.call(seed, 'escrow::deposit', [amount()], dryRun),
);
export const withdraw = transaction(
  'withdraw',
  'ask for SYM back from escrow (AMOUNT), or collect what is ripe',
  'withdraw [AMOUNT]',
  async (wallet, seed, amount, dryRun) => wallet.call(seed, ...(await withdrawal(amount)), dryRun),
);
const withdrawal = async (amount: () => bigint): Promise<[string, bigint[]]> => {
  try {
    return ['escrow::request_withdrawal', [amount()]];
  } catch (cause) {
    if (cause instanceof CliError && cause.code === 'Usage') return ['escrow::withdraw', []];
    throw cause;
  }
};
export const claim = transaction('claim', 'collect what the account has earned', 'claim', (wallet, seed, _amount, dryRun) =>
  wallet.call(seed, 'rewards::claim', [], dryRun),
);
