import type { Command } from '../command.ts';
import { account } from './account.ts';
import { approve, decide } from './approve.ts';
import { deposit, fund, withdraw } from './escrow.ts';
import { genesisBuild, genesisShow } from './genesis.ts';
import { keygen } from './keygen.ts';
import { masters } from './masters.ts';
import { recoverCommands } from './recover.ts';
import { replaceCommands } from './replace.ts';
import { replay } from './replay.ts';
import { resolve } from './resolve.ts';
import { result } from './result.ts';
import { claim, rewards } from './rewards.ts';
import { keygenSecrets } from './secrets.ts';
import { settlement } from './settlement.ts';
import { stake, unstake } from './stake.ts';
import { status } from './status.ts';
import { signCommand, submit } from './submit.ts';
import { supply } from './supply.ts';
import { verify } from './verify.ts';

/** In the order in which a newcomer needs them. */
export const commands: readonly Command[] = [
  keygen,
  keygenSecrets,
  genesisBuild,
  genesisShow,
  account,
  deposit,
  fund,
  withdraw,
  stake,
  unstake,
  rewards,
  claim,
  resolve,
  signCommand,
  submit,
  status,
  result,
  verify,
  replay,
  masters,
  settlement,
  supply,
  approve,
  decide,
  ...replaceCommands,
  ...recoverCommands,
];
