/**
 * Whether the API server enforces whom a Task is from (rule N5): a Task whose stamp names somebody else must be refused by the
 * policy, and one without a stamp must get ours. Tried with dry runs, in each listed namespace, again and again; until it
 * is so nothing is admitted.
 */
import { API_VERSION } from '@scs/protocol';
import type { Clock } from '../kube/clock.ts';
import type { Cluster } from '../kube/client.ts';
import { isApiError } from '../kube/errors.ts';
import { type Logger, errorFields } from '../kube/logger.ts';
import type { Reason } from './projection/conditions.ts';
import { SUBMITTED_BY, type TaskObject } from './task-objects.ts';

const FORGED = 'scp-probe:somebody-else';
const AGAIN_MS = { refused: 60_000, not: 2_000 } as const;

const probeTask = (namespace: string, annotations: Record<string, string>): TaskObject => ({
  apiVersion: API_VERSION,
  kind: 'Task',
  metadata: { name: 'scs-admission-probe', namespace, annotations },
  spec: {
    class: 'query',
    submitter: `0x${'0'.repeat(64)}`,
    usage: 'analytics',
    query: { domain: 'global', where: [], count: 'subjects' },
    privacy: { epsilon: '0.1', minimumResultCardinality: 1 },
    coordination: { quorum: 1 },
    maxFee: '0',
    resultKey: '0'.repeat(64),
    deadlineSeconds: 10,
  },
});

export class AdmissionProbe {
  readonly #cluster: Cluster;
  readonly #namespaces: readonly string[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  #why: Reason | undefined = {
    reason: 'AdmissionPolicyUnproven',
    message: 'The masters are still checking that the API server enforces who submits a Task.',
  };

  constructor(cluster: Cluster, namespaces: readonly string[], clock: Clock, logger: Logger) {
    this.#cluster = cluster;
    this.#namespaces = namespaces;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Why nothing may be admitted now; undefined when forged stamps are refused everywhere. */
  notAdmitting(): Reason | undefined {
    return this.#why;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const problems = await Promise.all(this.#namespaces.map((namespace) => this.#problem(namespace)));
      const problem = problems.find((p) => p !== undefined);
      const message =
        problem && `${problem} Install the chart with admission.enabled, or its MutatingAdmissionPolicy and ValidatingAdmissionPolicy.`;
      if (message !== this.#why?.message)
        this.#logger.info({ admitting: problem === undefined }, message ?? 'forged submitters are refused; tasks are admitted');
      this.#why = message === undefined ? undefined : { reason: 'AdmissionPolicyMissing', message };
      await this.#clock.sleep(problem ? AGAIN_MS.not : AGAIN_MS.refused, signal);
    }
  }

  async #problem(namespace: string): Promise<string | undefined> {
    try {
      if (!(await this.#refusesForged(namespace)))
        return `A Task with a forged ${SUBMITTED_BY} would be accepted in namespace ${namespace}.`;
      const stamped = await this.#create(namespace, {});
      const user = stamped.metadata.annotations?.[SUBMITTED_BY];
      return user ? undefined : `A Task is not stamped with its submitter in namespace ${namespace}.`;
    } catch (thrown) {
      const { code, message } = errorFields(thrown);
      return `The admission policy of namespace ${namespace} could not be tried (${code}: ${message.slice(0, 200)}).`;
    }
  }

  /** True only when the policy itself refused it: want of rights is a refusal, too, and proves nothing. */
  async #refusesForged(namespace: string): Promise<boolean> {
    try {
      await this.#create(namespace, { [SUBMITTED_BY]: FORGED });
      return false;
    } catch (thrown) {
      if (isApiError(thrown, 'Forbidden', 'Invalid') && thrown.message.includes(SUBMITTED_BY) && thrown.message.includes('denied request'))
        return true;
      throw thrown;
    }
  }

  #create(namespace: string, annotations: Record<string, string>): Promise<TaskObject> {
    return this.#cluster.create(probeTask(namespace, annotations), { dryRun: true, attempts: 1, timeoutMs: 5_000 });
  }
}
