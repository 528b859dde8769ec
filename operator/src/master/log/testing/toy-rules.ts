/** Rules small enough to think about: a command is a name that may be applied once; names that begin with "bad" never. */
import { decodeCanonical, encodeCanonical, fromHex, fromUtf8, hex, State, utf8, type Block, type Command } from '@scs/protocol';
import type { Applied, Rules } from '../rules-port.ts';

/** A uid is hex, so a name goes as its bytes. */
export const toyCommand = (name: string): Command => ({ type: 'task.cancel', uid: hex(utf8(name)) });
export const nameOf = (command: Command): string => (command.type === 'task.cancel' ? fromUtf8(fromHex(command.uid)) : command.type);

const apply = (state: State, command: Command, { height }: { readonly height: bigint }): Applied => {
  const name = nameOf(command);
  if (name.startsWith('bad')) return { ok: false, fault: { code: 'Bad', message: `${name} is bad` } };
  if (state.map.get(`seen/${name}`)) return { ok: false, fault: { code: 'AlreadyDecided', message: `${name} was applied before` } };
  return { ok: true, state: state.putRaw(`seen/${name}`, encodeCanonical(height)) };
};

/** All that was applied, and at which height. */
export const appliedIn = (state: State): readonly { readonly name: string; readonly height: bigint }[] =>
  [...state.map.entries()].flatMap(([key, value]) =>
    key.startsWith('seen/') ? [{ name: key.slice('seen/'.length), height: decodeCanonical(value) as bigint }] : [],
  );

export const toyRules: Rules = {
  initial: () => new State().putRaw('meta/', encodeCanonical({ height: 0n })),
  apply,
  applyBlock: (state, block: Block) => {
    let at: Applied = { ok: true, state };
    for (const command of block.commands) {
      at = apply(at.state, command, block);
      if (!at.ok) return at;
    }
    return { ok: true, state: at.state.putRaw('meta/', encodeCanonical({ height: block.height, time: block.time })) };
  },
  next: () => [],
};
