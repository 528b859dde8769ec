/**
 * What a master checks by its own reading of the world before it votes (rules N1, N5, A5, T5, T8). Signatures, attestations,
 * budgets and all else that is in the command itself the rules check; this is for what isn't.
 */
import { isTerminal, type Block, type Command, type Genesis, type State } from '@scs/protocol';
import { isApiError } from '../kube/errors.ts';
import type { Testimony, Witness } from './log/log.ts';
import type { Rules } from './log/rules-port.ts';
import { ChainError, type Chain } from './settlement/chain.ts';
import { economyDispute, economyQuestion } from './settlement/economy-reading.ts';
import { sameTask, seenTask, type TaskObjects } from './task-objects.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;
export interface WitnessOptions {
  readonly tasks: Pick<TaskObjects, 'byUid' | 'read' | 'listed'>;
  readonly chain: Pick<Chain, 'observe' | 'settledBatch' | 'economy'>;
  /** Whose bonds are compared. */
  readonly genesis: Pick<Genesis, 'actors' | 'masters'>;
  /** Accounts with an escrow: all of them are compared, so that a reading can't be withheld. */
  readonly accounts: readonly string[];
  /** Whether this master has seen the API server refuse a forged stamp: before that, whom a Task is from can't be known (N5). */
  readonly mayAdmit: () => boolean;
  /** Has, or fetches from another master, the blob of that name; false when nobody has it. */
  readonly hasBlob: (task: string, name: string) => Promise<boolean>;
  readonly rules: Rules;
  /** Height of this master's log, and the digest of its certified block there; the genesis digest at 0. */
  readonly height: () => bigint;
  readonly blockAt: (height: bigint) => string | undefined;
  /** Commands that wait here for a block: evidence among them speaks against a tick that would expire its task. */
  readonly pending: () => readonly Command[];
}
/** Questions to the API server and the chain at a time: a block of false commands must not become a flood of them. */
const LOOKS_AT_ONCE = 64;
/** How far behind the log a counter's attestation may lie. */
const RECENT_HEIGHTS = 1_024n;
/** Where the chain no longer serves a transaction, the observed batch carries this hash. */
export const UNKNOWN_TRANSACTION = `0x${'0'.repeat(64)}`;

type Finding = { readonly code: string; readonly message: string } | undefined;
const FITS: Testimony = { kind: 'fits' };
/** Not known yet, rather than untrue: the block may come again. */
class NotYet extends Error {}
const chainReadsOtherwise = (message: string): Finding => ({ code: 'ChainReadsOtherwise', message });

export const createWitness = (o: WitnessOptions): Witness => {
  const admitted = async (command: CommandOf<'task.admit'>): Promise<Finding> => {
    const { uid, namespace, name } = command;
    if (!o.mayAdmit()) throw new NotYet('admission policies are not seen to be enforced yet');
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

  /** What the command says, and by its silence says to be as it was, of every escrow (K2). */
  const escrowsRead = async ({ ledgerVersion, time, escrows }: CommandOf<'chain.observed'>, before: State): Promise<Finding> => {
    const own = await o.chain.observe(o.accounts, { ledgerVersion, timestampMs: BigInt(time) });
    const claimed = new Map(escrows.map((reading) => [reading.account, reading]));
    for (const account of new Set([...o.accounts, ...claimed.keys()])) {
      const [mine, said] = [own.escrows[account], claimed.get(account) ?? before.get('escrow', account)];
      if (mine?.balance !== said?.balance || mine?.withdrawing !== said?.withdrawing)
        return chainReadsOtherwise(
          `the escrow of ${account} reads otherwise at version ${ledgerVersion}${claimed.has(account) ? '' : ', and is left out'}`,
        );
    }
    return undefined;
  };

  const economyRead = async ({ ledgerVersion, time, economy }: CommandOf<'chain.observed'>, before: State): Promise<Finding> => {
    if (!economy) return undefined;
    const question = economyQuestion(o.genesis, before);
    const own = await o.chain.economy(question, { ledgerVersion, timestampMs: BigInt(time) });
    const dispute = economyDispute(economy, question, own, before);
    return dispute === undefined ? undefined : chainReadsOtherwise(`at version ${ledgerVersion} ${dispute}`);
  };

  const observed = async (command: CommandOf<'chain.observed'>, before: State): Promise<Finding> => {
    const unread = (await escrowsRead(command, before)) ?? (await economyRead(command, before));
    if (unread) return unread;
    const { settled } = command;
    for (const claim of settled) {
      const mine = await o.chain.settledBatch(claim.batch);
      if (mine?.tasksRoot !== claim.tasksRoot) return chainReadsOtherwise(`batch ${claim.batch} is not settled so`);
      if ((mine.version ?? claim.version) !== claim.version || (mine.txHash ?? claim.transaction) !== claim.transaction)
        return chainReadsOtherwise(`batch ${claim.batch} landed with another transaction`);
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

  /** N8: the head that the attestation binds is this log's, and recent: a counter from before it can't have been asked for. */
  const headIsOurs = ({ statement: { height, block } }: CommandOf<'counter.admit'>): Finding => {
    const own = o.blockAt(height);
    if (own !== block) return { code: 'HeadUnknown', message: `the block at height ${height} is another here` };
    return o.height() - height <= RECENT_HEIGHTS ? undefined : { code: 'HeadTooOld', message: `height ${height} is too long ago` };
  };

  const look = (command: Command, block: Block, before: State, after: State): Promise<Finding> | Finding => {
    switch (command.type) {
      case 'task.admit':
        return admitted(command);
      case 'task.cancel':
        return cancelled(command, before);
      case 'chain.observed':
        return observed(command, before);
      case 'aggregate.evidence':
        return evidenced(command);
      case 'tick':
        return expired(block, before, after);
      case 'counter.admit':
        return headIsOurs(command);
      case 'budget.replenish':
      case 'catalogue.change':
      case 'version.announce':
      case 'version.activate':
      case 'master.replace':
      case 'vault.register':
      case 'vault.dividends':
      case 'offence.report':
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
        return thrown.fault.code === 'PointFalse'
          ? { kind: 'refused', code: 'ChainReadsOtherwise', message: thrown.message, command: index }
          : { kind: 'unknown', message: `the chain does not tell: ${thrown.fault.code}`, command: index };
      if (thrown instanceof NotYet) return { kind: 'unknown', message: thrown.message, command: index };
      throw thrown;
    }
  };

  return {
    check: async (block, before, after) => {
      let unknown: Testimony | undefined;
      for (let from = 0; from < block.commands.length; from += LOOKS_AT_ONCE) {
        const some = block.commands.slice(from, from + LOOKS_AT_ONCE);
        const testimonies = await Promise.all(some.map((command, i) => testify(command, from + i, block, before, after)));
        const refused = testimonies.find((t) => t.kind === 'refused');
        if (refused) return refused;
        unknown ??= testimonies.find((t) => t.kind === 'unknown');
      }
      return unknown ?? FITS;
    },
  };
};
