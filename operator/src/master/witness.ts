/**
 * What a master checks by its own reading of the world before it votes (rules N1, N5, A5, T5, T8). Signatures, attestations,
 * budgets and all else that is in the command itself the rules check; this is for what isn't.
 */
import { isTerminal, type Block, type Command, type State } from '@scs/protocol';
import { isApiError } from '../kube/errors.ts';
import type { Testimony, Witness } from './log/log.ts';
import type { Rules } from './log/rules-port.ts';
import { ChainError, type Chain } from './settlement/chain.ts';
import { sameTask, seenTask, type TaskObjects } from './task-objects.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;
export interface WitnessOptions {
  readonly tasks: Pick<TaskObjects, 'byUid' | 'read' | 'listed'>;
  readonly chain: Pick<Chain, 'observe' | 'settledBatch'>;
  /** Has, or fetches from another master, the blob of that name; false when nobody has it. */
  readonly hasBlob: (task: string, name: string) => Promise<boolean>;
  readonly rules: Rules;
  /** Commands that wait here for a block: evidence among them speaks against a tick that would expire its task. */
  readonly pending: () => readonly Command[];
}
/** Where the chain no longer serves a transaction, the observed batch carries this hash. */
export const UNKNOWN_TRANSACTION = `0x${'0'.repeat(64)}`;

type Finding = { readonly code: string; readonly message: string } | undefined;
const FITS: Testimony = { kind: 'fits' };

export const createWitness = (o: WitnessOptions): Witness => {
  const admitted = async (command: CommandOf<'task.admit'>): Promise<Finding> => {
    const { uid, namespace, name } = command;
    if (!o.tasks.listed(namespace)) return { code: 'NamespaceNotListed', message: `masters take no tasks from namespace ${namespace}` };
    const known = o.tasks.byUid(uid);
    const object = known?.metadata.namespace === namespace && known.metadata.name === name ? known : await o.tasks.read(namespace, name);
    if (object?.metadata.uid !== uid) return { code: 'TaskNotSeen', message: `there is no Task ${namespace}/${name} with uid ${uid}` };
    const seen = seenTask(object);
    const { type: _, ...claimed } = command;
    return typeof seen !== 'string' && sameTask(seen, claimed)
      ? undefined
      : { code: 'TaskDiffers', message: `Task ${namespace}/${name} has another spec or user than the command says` };
  };

  const cancelled = async ({ uid }: CommandOf<'task.cancel'>, before: State): Promise<Finding> => {
    const record = before.get('task', uid);
    if (!record) return undefined; // the rules refuse it
    const object = await o.tasks.read(record.namespace, record.name);
    return object?.metadata.uid === uid
      ? { code: 'TaskStillThere', message: `Task ${record.namespace}/${record.name} is not deleted` }
      : undefined;
  };

  const observed = async ({ ledgerVersion, time, escrows, settled }: CommandOf<'chain.observed'>): Promise<Finding> => {
    const at = { ledgerVersion, timestampMs: BigInt(time) };
    const own = await o.chain.observe(
      escrows.map(({ account }) => account),
      at,
    );
    for (const { account, balance, withdrawing } of escrows) {
      const mine = own.escrows[account];
      if (mine?.balance !== balance || mine.withdrawing !== withdrawing)
        return { code: 'ChainReadsOtherwise', message: `the escrow of ${account} reads otherwise at version ${ledgerVersion}` };
    }
    for (const claim of settled) {
      const mine = await o.chain.settledBatch(claim.batch);
      if (mine?.tasksRoot !== claim.tasksRoot) return { code: 'ChainReadsOtherwise', message: `batch ${claim.batch} is not settled so` };
      if ((mine.version ?? claim.version) !== claim.version || (mine.txHash ?? claim.transaction) !== claim.transaction)
        return { code: 'ChainReadsOtherwise', message: `batch ${claim.batch} landed with another transaction` };
    }
    return undefined;
  };

  const evidenced = async ({ task, aggregate }: CommandOf<'aggregate.evidence'>): Promise<Finding> =>
    (await o.hasBlob(task, `result/${aggregate.evidence.sealedResult}`))
      ? undefined
      : { code: 'ResultMissing', message: 'the sealed result is not stored with the masters; put it first, then submit the evidence' };

  /** T5: a voter who holds evidence refuses the tick that would expire its task. */
  const expired = (block: Block, before: State, after: State): Finding => {
    for (const command of o.pending()) {
      const uid =
        command.type === 'slice.release' ? command.receipt.task : command.type === 'aggregate.evidence' ? command.task : undefined;
      if (uid === undefined) continue;
      const [was, is] = [before.get('task', uid), after.get('task', uid)];
      if (!was || !is || isTerminal(was.state) || !isTerminal(is.state) || is.cancelRequested) continue;
      if (o.rules.apply(before, command, { time: block.time, height: block.height }).ok)
        return { code: 'EvidencePending', message: `evidence of task ${uid} is here and waits to be decided` };
    }
    return undefined;
  };

  const look = (command: Command, block: Block, before: State, after: State): Promise<Finding> | Finding => {
    switch (command.type) {
      case 'task.admit':
        return admitted(command);
      case 'task.cancel':
        return cancelled(command, before);
      case 'chain.observed':
        return observed(command);
      case 'aggregate.evidence':
        return evidenced(command);
      case 'tick':
        return expired(block, before, after);
      case 'vault.register':
      case 'vault.answer':
      case 'enclave.ready':
      case 'slice.release':
      case 'task.resolve':
      case 'task.dispatch':
      case 'aggregator.replace':
      case 'settlement.batch':
        return undefined; // all there is to know of it is in the command and the state
    }
  };

  const testify = async (command: Command, index: number, block: Block, before: State, after: State): Promise<Testimony> => {
    try {
      const finding = await look(command, block, before, after);
      return finding ? { kind: 'refused', ...finding, command: index } : FITS;
    } catch (thrown) {
      if (isApiError(thrown)) return { kind: 'unknown', message: `the API server does not tell: ${thrown.code}`, command: index };
      if (thrown instanceof ChainError)
        return { kind: 'unknown', message: `the chain does not tell: ${thrown.fault.code}`, command: index };
      throw thrown;
    }
  };

  return {
    check: async (block, before, after) => {
      const looks = block.commands.map((command, i) => testify(command, i, block, before, after));
      const testimonies = await Promise.all(looks);
      return testimonies.find((t) => t.kind === 'refused') ?? testimonies.find((t) => t.kind === 'unknown') ?? FITS;
    },
  };
};
