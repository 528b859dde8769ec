import type { Command } from '../command.ts';
import { genesisBuild, genesisShow } from './genesis.ts';
import { keygen } from './keygen.ts';

/** In the order in which a newcomer needs them. */
export const commands: readonly Command[] = [keygen, genesisBuild, genesisShow];
