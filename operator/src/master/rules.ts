/** The rules of `@scs/protocol`, bound to one genesis: what the log needs of them. */
import type { Genesis } from '@scs/protocol';
import { apply, applyBlock } from '@scs/protocol/rules/apply.ts';
import { nextCommands } from '@scs/protocol/rules/due.ts';
import { initialState } from '@scs/protocol/rules/genesis-state.ts';
import type { Rules } from './log/rules-port.ts';

export const rulesOf = (genesis: Genesis, genesisDigest: string): Rules => ({
  initial: () => initialState(genesis),
  apply: (state, command, { time, height }) => apply(state, command, { genesis, genesisDigest, time, height }),
  applyBlock: (state, block) => applyBlock(state, block, { genesis, genesisDigest }),
  next: (state, nowMs) => nextCommands(state, nowMs, genesis),
});
