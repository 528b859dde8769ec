/** The real rules for counters and blocks, and names that may be applied once for everything else: small enough to think about. */
import { blockDigest, encodeCanonical, type Block, type Command, type Genesis, type State } from '@scs/protocol';
import { rulesOf } from '../../../rules.ts';
import type { Applied, Rules } from '../../../log/rules-port.ts';

export const testRules = (genesis: Genesis, genesisDigest: string): Rules => {
  const real = rulesOf(genesis, genesisDigest);
  const apply: Rules['apply'] = (state, command, at): Applied => {
    const name = nameIn(command);
    if (name === undefined) return real.apply(state, command, at);
    const key = `seen/${name}`;
    if (state.map.get(key)) return { ok: false, fault: { code: 'AlreadyDecided', message: `${name} was applied before` } };
    return { ok: true, state: state.putRaw(key, encodeCanonical(true)) };
  };
  return {
    initial: () => real.initial(),
    apply,
    applyBlock: (state, block) => {
      let at: Applied = { ok: true, state };
      for (const command of block.commands) {
        at = apply(at.state, command, block.height === 0n ? { time: 0, height: 0n } : { time: block.time, height: block.height });
        if (!at.ok) return at;
      }
      return { ok: true, state: withMeta(at.state, block) };
    },
    next: () => [],
  };
};
const nameIn = (command: Command): string | undefined => {
  if (command.type === 'task.cancel') return command.uid;
  return command.type === 'vault.answer' ? command.statement.task : undefined;
};
const withMeta = (state: State, block: Block): State =>
  state.put('meta', '', { ...state.must('meta'), height: block.height, time: block.time, block: blockDigest(block) });
