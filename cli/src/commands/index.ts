import type { Command } from '../command.ts';
import { account, claim, fund, withdraw } from './account.ts';
import { genesisBuild, genesisShow } from './genesis.ts';
import { keygen } from './keygen.ts';
import { resolve } from './resolve.ts';
import { result } from './result.ts';
import { keygenSecrets } from './secrets.ts';
import { status } from './status.ts';
import { signCommand, submit } from './submit.ts';
import { verify } from './verify.ts';

/** In the order in which a newcomer needs them. */
export const commands: readonly Command[] = [
  keygen,
  keygenSecrets,
  genesisBuild,
  genesisShow,
  account,
  fund,
  withdraw,
  claim,
  resolve,
  signCommand,
  submit,
  status,
  result,
  verify,
];
