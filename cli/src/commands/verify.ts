/** `verify`: the chain of proof of a task, checked here and now. */
import { decodeBatch, fromHex, type Genesis, type Task } from '@scs/protocol';
import { Ledger } from '../chain/ledger.ts';
import { readBundle, type Bundle } from '../bundle.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions, type FoundGenesis } from '../genesis-file.ts';
import { connect, KUBE_HELP, kubeOptions, taskName, type KubeAccess } from '../kube.ts';
import { openWithFolder } from '../open-result.ts';
import { formatOf, keysIfGiven, keysOptions } from '../options.ts';
import { chainUrlOf } from '../money/money.ts';
import { pause } from '../pause.ts';
import { failed, held, type Check } from '../verify/check.ts';
import type { ChainFacts, Opening } from '../verify/subject.ts';
import { decodeTaskRecord } from '../verify/task-record.ts';
import { verifyTask } from '../verify/verify-task.ts';

export const verify: Command = {
  words: ['verify'],
  summary: 'check the chain of proof of a task, from manifest to transaction',
  help: `kubectl symphony verify task/NAME [--keys FOLDER] [--chain-url URL]

Checks everything here: signatures, certificates, Merkle paths, the plan, attestations, the fee, the settlement. Exit code 1
if a line fails. Masters are believed only where two of three signed.

  --keys FOLDER         the submitter's key folder, to check the opening too (or $SCS_KEYS)
  --chain-url URL       Aptos fullnode REST API, ending in /v1 (or $SCS_CHAIN_URL), to check the settlement there
  -o, --output FORMAT   text or json
${GENESIS_HELP}
${KUBE_HELP}`,
  options: {
    ...kubeOptions,
    ...genesisOptions,
    ...keysOptions,
    'chain-url': { type: 'string' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
  arguments: 1,
  run: async (invocation) => {
    const name = taskName(invocation.positionals[0]);
    const format = formatOf(invocation, ['text', 'json']);
    const kube = connect(invocation);
    const found = await findGenesis(invocation, () => kube);
    const { task, bundle } = await readProof(kube, name, invocation.signal);
    const [opening, chain] = await Promise.all([opened(invocation, bundle, task), chainFacts(invocation, bundle, task, found.genesis)]);
    const checks = verifyTask({ task, genesis: found.genesis, bundle, opening, chain });
    if (format === 'json') invocation.out(JSON.stringify({ genesis: found.source, pinned: found.pinned, checks }, null, 2));
    else for (const line of report(checks, found)) invocation.out(line);
    const problems = failed(checks);
    if (problems.length > 0)
      throw new CliError(
        'VerificationFailed',
        `${problems.length} of ${checks.length} checks failed: ${problems.map((c) => c.name).join(', ')}.`,
      );
  },
};

const TRIES = 20;
const TRY_MS = 500;
/** Masters write status and proof one after the other: right after a transition the proof may be a moment behind. */
const readProof = async (kube: KubeAccess, name: string, signal: AbortSignal): Promise<{ task: Task; bundle: Bundle }> => {
  for (let tries = 1; ; tries += 1) {
    const task = await kube.task(name);
    const bundle = await readBundle(kube, task);
    if (!isBehind(task, bundle) || tries === TRIES) return { task, bundle };
    await pause(TRY_MS, signal);
  }
};
const isBehind = ({ status }: Task, { task, batch, settlement }: Bundle): boolean => {
  try {
    const { state, readyAt } = decodeTaskRecord(task.value);
    if (state !== status?.state || (readyAt === undefined) !== status.result?.provisional) return true;
    return state === 'completed' && !(batch && settlement);
  } catch {
    // What can't be read doesn't get better by waiting: the line on the record will say so.
    return false;
  }
};

const opened = async (invocation: Invocation, bundle: Bundle, task: Task): Promise<Opening> => {
  const keys = keysIfGiven(invocation);
  return keys ? openWithFolder(bundle.sealed, keys, task) : { kind: 'skipped', why: 'no --keys given' };
};

const chainFacts = async (invocation: Invocation, bundle: Bundle, task: Task, genesis: Genesis): Promise<ChainFacts | string> => {
  const url = chainUrlOf(invocation);
  if (!url) return 'no --chain-url given';
  const number = bundle.batch && batchNumber(bundle.batch.value);
  if (number === undefined) return 'the bundle has no batch to ask the chain for';
  const ledger = new Ledger(url, genesis, invocation.signal);
  const hash = task.status?.settlement?.transaction;
  const [chainId, digest, batch, transaction] = await Promise.all([
    ledger.chainId(),
    ledger.genesis(),
    ledger.batch(number),
    hash ? ledger.transaction(hash) : undefined,
  ]);
  return { chainId, genesis: digest, batch, transaction };
};
/** undefined when it is no batch: the line on the batch says so. */
const batchNumber = (valueHex: string): bigint | undefined => {
  try {
    return decodeBatch(fromHex(valueHex)).number;
  } catch {
    return undefined;
  }
};

const markOf = ({ problem, skipped }: Check): string => (problem !== undefined ? 'FAIL' : skipped !== undefined ? '-   ' : 'ok  ');

/** One line a check, and what the proof does not cover. Pure. */
export const report = (checks: readonly Check[], { source, pinned }: Pick<FoundGenesis, 'source' | 'pinned'>): string[] => {
  const width = Math.max(...checks.map((c) => c.name.length));
  const resting = held(checks).filter((c) => c.basis === 'attestation');
  return [
    `genesis from ${source}${pinned ? '' : ': believed as the API server gives it; pin it with --genesis FILE'}`,
    ...checks.map((c) => `${markOf(c)} ${c.name.padEnd(width)}  ${c.basis.padEnd(13)}  ${c.problem ?? c.skipped ?? c.proves}`),
    ...(resting.length === 0
      ? []
      : [
          `On attestation alone rest: ${resting.map((c) => c.name).join(', ')}. Certificates are two masters' word: they hold though one of the three lies.`,
        ]),
  ];
};
