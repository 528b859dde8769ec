/** `verify`: the chain of proof of a task, checked here and now. */
import { decodeBatch, fromHex, type Genesis, type Task } from '@scs/protocol';
import { readBundle, type Bundle } from '../bundle.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readSeed } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions, taskName } from '../kube.ts';
import { openResult } from '../open-result.ts';
import { failed, type Check } from '../verify/check.ts';
import { verifyTask, type ChainFacts } from '../verify/verify-task.ts';
import { Wallet } from '../wallet.ts';

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
    keys: { type: 'string' },
    'chain-url': { type: 'string' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
  run: async (invocation) => {
    const kube = connect(invocation);
    const task = await kube.task(taskName(invocation.positionals[0]));
    const found = await findGenesis(invocation, kube);
    const bundle = await readBundle(kube, task);
    const [opened, chain] = await Promise.all([opening(invocation, bundle, task), chainFacts(invocation, bundle, task, found.genesis)]);
    const checks = verifyTask({ task, genesis: found.genesis, bundle, opened, chain });
    report(invocation, checks, found);
    const problems = failed(checks);
    if (problems.length > 0)
      throw new CliError(
        'VerificationFailed',
        `${problems.length} of ${checks.length} checks failed: ${problems.map((c) => c.name).join(', ')}.`,
      );
  },
};

const opening = async (invocation: Invocation, bundle: Bundle, task: Task) => {
  const keys = invocation.text('keys') ?? process.env['SCS_KEYS'];
  if (!keys) return 'no --keys given';
  try {
    return await openResult(bundle.sealed, await readSeed(keys, 'result.key'), task.status?.envelopeDigest ?? '');
  } catch (cause) {
    if (cause instanceof CliError) return cause.message;
    throw cause;
  }
};

const chainFacts = async (invocation: Invocation, bundle: Bundle, task: Task, genesis: Genesis): Promise<ChainFacts | string> => {
  const url = invocation.text('chain-url') ?? process.env['SCS_CHAIN_URL'];
  if (!url) return 'no --chain-url given';
  if (!bundle.batch) return 'the task is not settled yet';
  const wallet = new Wallet(url, genesis);
  await wallet.check();
  const { number } = decodeBatch(fromHex(bundle.batch.value));
  const [[digest], [tasksRoot]] = await Promise.all([wallet.view('committee::genesis', []), wallet.view('settlement::batch', [number])]);
  const hash = task.status?.settlement?.transaction;
  return {
    chainId: genesis.chain.chainId,
    genesis: bare(digest),
    tasksRoot: bare(tasksRoot),
    transaction: hash ? await wallet.transaction(hash) : undefined,
  };
};
const bare = (hexWith0x: unknown): string => String(hexWith0x).replace(/^0x/, '');

const MARK = { holds: 'ok  ', fails: 'FAIL', skipped: '-   ' };
const report = ({ out, text }: Invocation, checks: readonly Check[], { source, pinned }: { source: string; pinned: boolean }): void => {
  if (text('output') === 'json') return out(JSON.stringify({ genesis: source, pinned, checks }, null, 2));
  out(`genesis from ${source}${pinned ? '' : ': believed as the API server gives it; pin it with --genesis FILE'}`);
  const width = Math.max(...checks.map((c) => c.name.length));
  for (const c of checks) {
    const mark = c.problem === undefined ? (c.skipped === undefined ? MARK.holds : MARK.skipped) : MARK.fails;
    out(`${mark} ${c.name.padEnd(width)}  ${c.basis.padEnd(13)}  ${c.problem ?? c.skipped ?? c.proves}`);
  }
  const resting = checks.filter((c) => c.basis === 'attestation' && c.problem === undefined && c.skipped === undefined).map((c) => c.name);
  if (resting.length > 0)
    out(
      `On attestation alone rest: ${resting.join(', ')}. Certificates tolerate a crashed master and a lying proposer; a master that signs two blocks at one height is not tolerated yet.`,
    );
  return undefined;
};
