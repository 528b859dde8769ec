/** `submit` and `sign`. */
import { stringify } from 'yaml';
import { type Task } from '@scs/protocol';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { connect, KUBE_HELP, kubeOptions, type KubeAccess } from '../kube.ts';
import { readManifestFile } from '../manifest-file.ts';
import { keysOf, keysOptions } from '../options.ts';
import { pause } from '../pause.ts';
import { signTask } from '../sign-task.ts';

const signOptions = {
  ...kubeOptions,
  ...genesisOptions,
  ...keysOptions,
  file: { type: 'string', short: 'f' },
  name: { type: 'string' },
  'valid-for': { type: 'string', default: '900' },
} as const;
const SIGN_HELP = `  -f, --file FILE       manifest of the Task; - reads standard input
  --keys FOLDER         the submitter's key folder (or $SCS_KEYS)
  --name NAME           another name than the manifest's
  --valid-for SECONDS   how long the signature may be presented (default 900)
${GENESIS_HELP}
${KUBE_HELP}`;

const signed = async (invocation: Invocation, kube: KubeAccess): Promise<Task> => {
  invocation.required('file');
  const keys = keysOf(invocation);
  const validSeconds = Number(invocation.required('valid-for'));
  if (!Number.isInteger(validSeconds) || validSeconds < 1 || validSeconds > 86_400)
    throw new UsageError('--valid-for takes 1 to 86400 seconds.');
  const { genesis } = await findGenesis(invocation, () => kube);
  return signTask({
    ...(await readManifestFile(invocation)),
    keys,
    genesis,
    namespace: kube.namespace,
    explicitNamespace: invocation.text('namespace'),
    now: invocation.now(),
    validSeconds,
    name: invocation.text('name'),
  });
};

export const signCommand: Command = {
  words: ['sign'],
  summary: 'sign a Task manifest and print it, for kubectl apply',
  help: `kubectl symphony sign -f task.yaml --keys FOLDER | kubectl apply -f -

Fills in spec.submitter and spec.resultKey from the key folder, signs the spec, and prints the manifest.

${SIGN_HELP}`,
  options: signOptions,
  run: async (invocation) => invocation.out(stringify(await signed(invocation, connect(invocation))).trimEnd()),
};

export const submit: Command = {
  words: ['submit'],
  summary: 'sign a Task manifest and apply it',
  help: `kubectl symphony submit -f task.yaml --keys FOLDER [--wait]

Signs as "sign" does and creates the Task.

  --wait                follow the task until it ends; exit code 1 unless it completed
  --dry-run             let the API server check it, create nothing
${SIGN_HELP}`,
  options: { ...signOptions, wait: { type: 'boolean' }, 'dry-run': { type: 'boolean' } },
  run: async (invocation) => {
    const dryRun = invocation.flag('dry-run');
    const kube = connect(invocation);
    const { metadata, spec } = await kube.createTask(await signed(invocation, kube), dryRun);
    const done = dryRun ? 'would be submitted' : 'submitted';
    invocation.out(`task/${metadata.name} ${done} to ${metadata.namespace}, at most ${spec.maxFee} SYM`);
    if (invocation.flag('wait') && !dryRun) await follow(invocation, () => kube.task(metadata.name, metadata.namespace));
  },
};

const POLL_MS = 500;
const ENDED = new Set(['completed', 'rejected', 'timed_out']);

/** Prints each transition once, with the time since submission. Throws CliError when the task ends otherwise than completed. */
const follow = async (invocation: Invocation, read: () => Promise<Task>): Promise<void> => {
  const start = invocation.now().getTime();
  let shown = 0;
  while (!invocation.signal.aborted) {
    const { status } = await read();
    for (const entry of status?.history?.slice(shown) ?? []) {
      const elapsed = ((invocation.now().getTime() - start) / 1000).toFixed(1).padStart(6);
      invocation.out(`${elapsed} s  ${entry.state}${entry.reason ? ` (${entry.reason})` : ''}`);
      shown += 1;
    }
    if (status?.state && ENDED.has(status.state)) {
      if (status.state !== 'completed')
        throw new CliError(status.reason ?? status.state, status.message ?? `The task ended ${status.state}.`);
      if (status.fee?.charged) invocation.out(`charged ${status.fee.charged} SYM of at most ${status.fee.maximum}`);
      return;
    }
    await pause(POLL_MS, invocation.signal);
  }
  throw new CliError('Interrupted', 'Stopped watching; the task goes on.');
};
