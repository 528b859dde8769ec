/** In a lying master's image in place of `consensus/prepare.ts`: as primary it offers a block that the rules refuse. */
import { blockDigest, decodeBlock, encodeBlock, type Block } from '@scs/protocol';
import type { Intent, Turn } from '@scs/operator/master/consensus/state.ts';
import { prepareDue as honest } from '../../../operator/src/master/consensus/prepare.ts';

export const prepareDue = (turn: Turn): Intent | undefined => {
  const intent = honest(turn);
  const isFresh = intent?.body.kind === 'prepare' && !turn.state.blocks.has(intent.body.block);
  if (!isFresh || !intent.bytes) return intent;
  const block: Block = { ...decodeBlock(intent.bytes), commands: [{ type: 'task.cancel', uid: 'ff' }] };
  return { body: { ...intent.body, block: blockDigest(block) } as Intent['body'], bytes: encodeBlock(block) };
};
