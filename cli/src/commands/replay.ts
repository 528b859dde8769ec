/** `replay`: the whole log applied again, here (rule X1). */
import { createReadStream, existsSync } from 'node:fs';
import { genesisDigest, hex, replayNext, replayStart, type Replayed } from '@scs/protocol';
import type { Command, Invocation } from '../command.ts';
import { CliError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions, type FoundGenesis } from '../genesis-file.ts';
import { connect, KUBE_HELP, kubeOptions } from '../kube.ts';
import { logLines } from '../log-lines.ts';
import { formatOf } from '../options.ts';

const PROGRESS_BLOCKS = 1000n;

export const replay: Command = {
  words: ['replay'],
  summary: 'rebuild the state from the log and compare it with what the masters certified',
  help: `kubectl symphony replay [-f LOG] [--genesis FILE]

Reads the log of a master, applies every block again by the rules, and checks that each is certified by two masters and gives
exactly the state that they certified. Exit code 1 at the first block that does not. Any master's log will do:

  kubectl exec -n scs scs-master-0-0 -- /usr/local/bin/node /app/main.mjs log | kubectl symphony replay --genesis genesis.bin

  -f, --file LOG        file with the log; without it, or with -, standard input
  -o, --output FORMAT   text or json
${GENESIS_HELP}
${KUBE_HELP}`,
  options: {
    ...kubeOptions,
    ...genesisOptions,
    file: { type: 'string', short: 'f' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
  run: async (invocation) => {
    const format = formatOf(invocation, ['text', 'json']);
    const found = await findGenesis(invocation, () => connect(invocation));
    const replayed = await replayAll(invocation, found);
    for (const line of format === 'json' ? [JSON.stringify(summary(replayed, found))] : text(replayed, found)) invocation.out(line);
  },
};

const replayAll = async (invocation: Invocation, { genesis }: FoundGenesis): Promise<Replayed> => {
  const group = { genesis, genesisDigest: genesisDigest(genesis) };
  let at = replayStart(genesis);
  for await (const line of logLines(chunksOf(invocation.text('file')))) {
    const step = replayNext(at, line, group);
    if (!step.ok) throw new CliError('ReplayFailed', `Block ${at.blocks + 1n}: ${step.fault.code}: ${step.fault.message}.`);
    at = step.replayed;
    if (at.blocks % PROGRESS_BLOCKS === 0n) invocation.err(`... ${at.blocks} blocks`);
    invocation.signal.throwIfAborted();
  }
  if (at.blocks === 0n) throw new CliError('LogEmpty', 'There is no block in it. Give the log with --file, or on standard input.');
  return at;
};

const chunksOf = (file: string | undefined): AsyncIterable<Uint8Array> => {
  if (file === undefined || file === '-') return process.stdin;
  if (!existsSync(file)) throw new CliError('LogMissing', `There is no file ${file}.`);
  return createReadStream(file);
};

const summary = ({ state, blocks, commands }: Replayed, { source, pinned }: FoundGenesis) => ({
  genesis: source,
  pinned,
  blocks: Number(blocks),
  commands: Number(commands),
  time: new Date(state.must('meta').time).toISOString(),
  stateRoot: hex(state.root()),
});
const text = (replayed: Replayed, found: FoundGenesis): string[] => {
  const { blocks, commands, time, stateRoot } = summary(replayed, found);
  return [
    `genesis from ${found.source}${found.pinned ? '' : ': believed as the API server gives it; pin it with --genesis FILE'}`,
    `ok  ${blocks} blocks with ${commands} commands, the last of ${time}: each certified by two masters, each gives the certified state`,
    `state root ${stateRoot}`,
  ];
};
