/** A world's blocks as the log that masters hand on. For tests. */
import { headOf, type Block } from '../block.ts';
import { decideMessage, type Certificate } from '../certificate.ts';
import { hex } from '../encoding/bytes.ts';
import { sign } from '../keys.ts';
import { applyBlock } from '../rules/apply.ts';
import { initialState } from '../rules/genesis-state.ts';
import type { LoggedBlock } from '../rules/replay.ts';
import { masterKey } from './keys.ts';
import type { World } from './world.ts';

/** Each block certified by masters 0 and 2. */
export const logOf = (world: World): LoggedBlock[] => {
  let state = initialState(world.genesis);
  return world.blocks.map((block) => {
    const applied = applyBlock(state, block, world);
    if (!applied.ok) throw new Error(applied.fault.message);
    state = applied.state;
    return { block, certificate: certified(world, block, hex(state.root())) };
  });
};
export const certified = (world: World, block: Block, stateRoot: string): Certificate => {
  const head = headOf(block, world.genesisDigest, stateRoot);
  return { head, votes: [0, 2].map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) })) };
};
