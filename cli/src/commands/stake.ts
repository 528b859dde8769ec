/** `stake` and `unstake`: bonds of masters, enterprises and producers (rules G3, K5, N3). */
import { MoveVector } from '@aptos-labs/ts-sdk';
import { fromHex, genesisDigest, publicKeyOf, sign, stakeMessage, stakeRoles, type Genesis, type StakeRole } from '@scs/protocol';
import type { Call } from '../chain/ledger.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { readPublic, readSeed } from '../keys/key-folder.ts';
import { amountOf } from '../money/money.ts';
import { transact, TRANSACTION_HELP, transactionOptions } from '../money/transact.ts';
import type { Wallet } from '../wallet.ts';

const ROLE_HELP = `  --role ROLE           master, enterprise or producer; what the key folder says unless given`;
const options = { ...transactionOptions, role: { type: 'string' } } as const;

const isRole = (word: string | undefined): word is StakeRole => word !== undefined && word in stakeRoles;
const roleOf = (invocation: Invocation, { kind }: Wallet): StakeRole => {
  const given = invocation.text('role');
  if (given !== undefined && !isRole(given)) throw new UsageError(`--role takes ${Object.keys(stakeRoles).join(', ')}, not ${given}.`);
  if (given !== undefined) return given;
  if (isRole(kind)) return kind;
  throw new CliError('RoleMissing', `As what? Give --role ${Object.keys(stakeRoles).join(', --role ')}.`);
};

/** The master agrees by its durable key, so that nobody bonds for a master unasked. */
const masterCall = async (invocation: Invocation, wallet: Wallet, genesis: Genesis, amount: bigint): Promise<Call> => {
  const folder = invocation.text('master-keys') ?? (wallet.kind === 'master' ? wallet.folder : undefined);
  if (!folder)
    throw new CliError(
      'MasterKeysMissing',
      'For which master? Give --master-keys FOLDER: its durable key signs that this account may bond for it.',
    );
  const { kind } = await readPublic(folder);
  if (kind !== 'master') throw new CliError('KeyFolderKind', `${folder} belongs to a ${kind}, not to a master.`);
  const seed = await readSeed(folder, 'durable.key');
  const signature = sign(seed, stakeMessage(genesisDigest(genesis), wallet.address));
  const bytes = (hex: string) => MoveVector.U8(fromHex(hex));
  return { name: 'staking::stake_master', args: [amount, bytes(publicKeyOf(seed)), bytes(signature)] };
};

export const stake: Command = {
  words: ['stake'],
  summary: 'bond SYM as master, enterprise or producer',
  help: `kubectl symphony stake AMOUNT [--role ROLE]

How much each role needs is policy's to say. What is bonded can be slashed for proven misbehaviour.

${ROLE_HELP}
  --master-keys FOLDER  for role master: the master's key folder, whose durable key agrees
${TRANSACTION_HELP}`,
  options: { ...options, 'master-keys': { type: 'string' } },
  arguments: 1,
  run: (invocation) => {
    const [text] = invocation.positionals;
    if (!text) throw new UsageError('How much? kubectl symphony stake AMOUNT, in SYM.');
    const amount = amountOf(text);
    return transact(invocation, async ({ wallet, found }) => {
      const role = roleOf(invocation, wallet);
      if (role === 'master') return [await masterCall(invocation, wallet, found.genesis, amount)];
      return [{ name: 'staking::stake', args: [stakeRoles[role], amount] }];
    });
  },
};

const unstakeCall = (invocation: Invocation, role: StakeRole): Call => {
  const [text] = invocation.positionals;
  if (invocation.flag('cancel')) return { name: 'staking::cancel_unbond', args: [stakeRoles[role]] };
  return text
    ? { name: 'staking::request_unbond', args: [stakeRoles[role], amountOf(text)] }
    : { name: 'staking::withdraw', args: [stakeRoles[role]] };
};
export const unstake: Command = {
  words: ['unstake'],
  summary: 'ask for bonded SYM back (AMOUNT), or collect what is ripe',
  help: `kubectl symphony unstake AMOUNT     asks: AMOUNT no longer counts as bonded, and ripens after the delay
kubectl symphony unstake            collects what is ripe, into the account
kubectl symphony unstake --cancel   bonds it again, as from now

Until it is collected it can still be slashed. It never expires. No master is needed.

${ROLE_HELP}
${TRANSACTION_HELP}`,
  options: { ...options, cancel: { type: 'boolean' } },
  arguments: 1,
  run: (invocation) => {
    if (invocation.flag('cancel') && invocation.positionals.length > 0)
      throw new UsageError('--cancel ends the whole unbonding: give no AMOUNT beside it.');
    return transact(invocation, ({ wallet }) => Promise.resolve([unstakeCall(invocation, roleOf(invocation, wallet))]));
  },
};
