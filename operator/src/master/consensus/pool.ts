/** Commands that wait to be decided: bounded, each once, forgotten when decided, refused by the rules or too old (MinBFT section 4.2, requests). */
import { decodeCommand, digest, encodeCommand, type Block, type Command } from '@scs/protocol';
import { lastDecided, type Tip } from './chain.ts';
import { broadcast, set, type Turn } from './state.ts';

export const commandDigest = (bytes: Uint8Array): string => digest('command', bytes);

/** Of a command that was decoded, which nobody changes. */
const digests = new WeakMap<Command, string>();
const digestOf = (command: Command): string => {
  const known = digests.get(command);
  if (known !== undefined) return known;
  const made = commandDigest(encodeCommand(command));
  digests.set(command, made);
  return made;
};

/** Decoded commands by their bytes: one that waits is looked at again and again. */
const decoded = new WeakMap<Uint8Array, Command>();
const commandOf = (bytes: Uint8Array): Command | undefined => {
  const known = decoded.get(bytes);
  if (known) return known;
  try {
    const command = decodeCommand(bytes);
    decoded.set(bytes, command);
    return command;
  } catch {
    return undefined; // from a peer
  }
};

/** Of commands in a block: half of what a block may have. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** In patiences; by then several primaries have had their chance. */
const FORGOTTEN_AFTER = 24;

/** What a command may count on: the last decided state, at a time that has come, so that what is due by now is not refused as early. */
const contextOf = ({ state }: Turn): { readonly time: number; readonly height: bigint } => {
  const tip = lastDecided(state.chain);
  return { time: Math.max(tip.time, state.now), height: tip.head.height + 1n };
};

/** One peer fills no more of the pool. */
const PEERS_SHARE = 1 / 4;
const isFull = ({ state: { pool }, env: { index, limits } }: Turn, from: number): boolean => {
  if (pool.size >= limits.poolCommands) return true;
  if (from === index) return false;
  let count = 0;
  for (const waiting of pool.values()) if (waiting.from === from) count += 1;
  return count >= limits.poolCommands * PEERS_SHARE;
};

/** Takes a command, from here or from a peer. Only what came from here is passed on. */
export const takeCommand = (turn: Turn, bytes: Uint8Array, from: number): void => {
  const { pool, chain, now } = turn.state;
  const own = from === turn.env.index;
  const refuse = (why: string): void => {
    if (own) turn.out.push({ kind: 'refused', command: bytes, why });
  };
  const id = commandDigest(bytes);
  const waiting = pool.get(id);
  if (waiting) {
    // what somebody asks for here is this master's own, whoever else brought it
    if (own && waiting.from !== from) set(turn, { pool: new Map(pool).set(id, { ...waiting, from }) });
    return;
  }
  if (isFull(turn, from)) return refuse('Busy');
  const command = commandOf(bytes);
  if (!command) return refuse('Malformed');
  const applied = turn.env.rules.apply(lastDecided(chain).records, command, contextOf(turn));
  if (!applied.ok) return refuse(applied.fault.code);
  set(turn, { pool: new Map(pool).set(id, { bytes, since: now, from }), ...(pool.size === 0 ? { progressAt: now } : {}) });
  if (own) broadcast(turn, { kind: 'command', bytes });
};

export const dropDecided = (turn: Turn, block: Block): void => {
  const pool = new Map(turn.state.pool);
  const doubted = new Map(turn.state.doubted);
  for (const command of block.commands) {
    const id = digestOf(command);
    doubted.delete(pool.get(id)?.from ?? -1);
    pool.delete(id);
  }
  if (pool.size !== turn.state.pool.size) set(turn, { pool, doubted });
};

/**
 * The world does not bear out a draft: the command at fault goes, or all of them when none is named. What else its bringer brought waits
 * for half a patience, and is then tried one at a time until one is decided: a peer that brings untrue ones without end must not keep
 * all others out of every block, and an honest one whose users do must not be kept out itself.
 */
export const dropUntrue = (turn: Turn, commands: readonly Command[]): void => {
  const pool = new Map(turn.state.pool);
  for (const command of commands) {
    const bytes = encodeCommand(command);
    const from = pool.get(commandDigest(bytes))?.from;
    if (from !== undefined && from !== turn.env.index)
      set(turn, { doubted: new Map(turn.state.doubted).set(from, turn.state.now + turn.env.limits.patienceMs / 2) });
    if (pool.delete(commandDigest(bytes))) turn.out.push({ kind: 'refused', command: bytes, why: 'NotBorneOut' });
  }
  set(turn, { pool });
};

/** What fits on top of a tip, in the order of arrival. */
export const commandsFor = (turn: Turn, parent: Tip, time: number): readonly Command[] => {
  const { rules, limits } = turn.env;
  const chosen: Command[] = [];
  let size = 0;
  let { records } = parent;
  const { pool, now } = turn.state;
  const doubted = new Map(turn.state.doubted);
  for (const { bytes, from } of pool.values()) {
    if ((doubted.get(from) ?? -Infinity) > now) continue;
    if (chosen.length >= limits.batchCommands || size + bytes.length > BATCH_BYTES) break;
    const command = commandOf(bytes);
    const applied = command && rules.apply(records, command, { time, height: parent.head.height + 1n });
    if (!command || !applied?.ok) continue;
    records = applied.state;
    size += bytes.length;
    chosen.push(command);
    if (doubted.has(from)) doubted.set(from, Infinity); // one at a time
  }
  return chosen;
};

/** Forgets what the rules no longer take or nobody wants. */
export const sweepPool = (turn: Turn): void => {
  const { chain, now, pool } = turn.state;
  const { rules, limits } = turn.env;
  // a look at every command costs: no more often than a status goes out
  if (pool.size === 0 || now - turn.state.statusAt < limits.statusEveryMs) return;
  const { records } = lastDecided(chain);
  const kept = new Map(pool);
  for (const [id, { bytes, since }] of pool) {
    const command = commandOf(bytes);
    const applied = command && rules.apply(records, command, contextOf(turn));
    const why = !applied?.ok
      ? (applied?.fault.code ?? 'Malformed')
      : now - since > FORGOTTEN_AFTER * limits.patienceMs
        ? 'TimedOut'
        : undefined;
    if (why === undefined) continue;
    kept.delete(id);
    turn.out.push({ kind: 'refused', command: bytes, why });
  }
  if (kept.size !== pool.size) set(turn, { pool: kept });
};
