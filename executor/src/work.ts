/**
 * The executor's life: ask the enclave sidecar beside it for work, do it, hand back exact cells; again if the sidecar says so.
 * It holds no key and reaches nothing but its socket and scratch. The pod ends with it, so it stays until the sidecar answers.
 */
import { status } from '@grpc/grpc-js';
import type { Enclave, FinishReply, GrpcClient, Work } from '@scs/proto';
import { decodeCanonical, Plan } from '@scs/protocol';
import { done, failed, type ExecutorFault, type Outcome } from './fault.ts';
import { realTimer, type Limits, type Timer } from './locked-database.ts';
import type { Files } from './run-plan.ts';

export interface Ports {
  readonly enclave: Pick<GrpcClient<typeof Enclave>, 'getWork' | 'finish' | 'fail' | 'withdrawn'>;
  readonly runPlan: (plan: Plan, files: Files, limits: Limits, timer: Timer) => Promise<Outcome<bigint[]>>;
  readonly runAudience: (plan: Plan, files: Files, limits: Limits, timer: Timer) => Promise<Outcome<Uint8Array>>;
  /** Resolves after the time, or at once when stopped. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly stopped: () => boolean;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Hex SHA3-256 of this program. */
  readonly program: string;
  readonly threads: number;
}
export type Ending =
  | { readonly code: 'Released' | 'AlreadyReleased' | 'Stopped' }
  | { readonly code: 'Failed'; readonly fault: ExecutorFault | { readonly code: string; readonly message: string } };

/** One wait for the sidecar: longer than any task; a lost connection shows at once by itself. */
const WAIT_MS = 2 * 86_400_000;
const MAX_BACKOFF_MS = 5_000;
const MAX_MEMORY_BYTES = 64 * 1024 ** 3;

const statusOf = (error: unknown): unknown => (typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined);

const decodePlan = (bytes: Uint8Array): Plan | undefined => {
  try {
    return Plan.parse(decodeCanonical(bytes));
  } catch {
    return undefined; // The one fault there is for it says all.
  }
};

interface Found {
  readonly cells: readonly bigint[];
  /** Empty where the plan keeps no audience. */
  readonly audience: Uint8Array;
}
const evaluate = async (work: Work, ports: Ports, timer: Timer): Promise<Outcome<Found>> => {
  const plan = decodePlan(work.plan);
  if (!plan) return failed('PlanUnfit', 'The plan is not in its one canonical form.');
  const memoryBytes = Number(work.memoryLimitBytes);
  if (!(memoryBytes > 0 && memoryBytes <= MAX_MEMORY_BYTES) || work.timeoutMs === 0)
    return failed('PlanUnfit', 'The limits are out of bounds.');
  const limits = { memoryBytes, threads: ports.threads, timeoutMs: work.timeoutMs };
  const cells = await ports.runPlan(plan, work, limits, timer);
  if (!cells.ok) return cells;
  const audience = plan.audience ? await ports.runAudience(plan, work, limits, timer) : done(new Uint8Array());
  return audience.ok ? done({ cells: cells.value, audience: audience.value }) : audience;
};

const report = (outcome: Outcome<Found>, work: number, { enclave, program }: Ports): Promise<FinishReply> =>
  outcome.ok
    ? enclave.finish(
        { cells: outcome.value.cells.map(String), audience: outcome.value.audience, program, round: work },
        { timeoutMs: WAIT_MS },
      )
    : enclave.fail({ code: outcome.fault.code, message: outcome.fault.message, round: work }, { timeoutMs: WAIT_MS });

/** C2: a query whose work is withdrawn ends as one whose time is over does, at once. */
const whileWanted = ({ round: number }: Work, { enclave, log }: Ports) => {
  const done = new AbortController();
  const withdrawn = new AbortController();
  enclave.withdrawn({ round: number }, { timeoutMs: WAIT_MS, signal: done.signal }).then(
    () => done.signal.aborted || withdrawn.abort(),
    (error: unknown) => done.signal.aborted || log.warn({ status: statusOf(error) }, 'the sidecar does not say whether the work is wanted'),
  );
  const timer: Timer = (ms, fire) => {
    const callOff = realTimer(ms, fire);
    if (withdrawn.signal.aborted) fire();
    withdrawn.signal.addEventListener('abort', fire, { once: true });
    return () => {
      callOff();
      withdrawn.signal.removeEventListener('abort', fire);
    };
  };
  return { timer, over: () => withdrawn.signal.aborted, done: () => done.abort() };
};

/** One round: undefined means once more. Throws what gRPC throws. */
const round = async (ports: Ports): Promise<Ending | undefined> => {
  const work = await ports.enclave.getWork({}, { timeoutMs: WAIT_MS });
  ports.log.info({ task: work.task }, 'work received');
  const wanted = whileWanted(work, ports);
  const outcome = await evaluate(work, ports, wanted.timer).finally(wanted.done);
  if (wanted.over()) {
    ports.log.info({ task: work.task }, 'the work was withdrawn');
    return undefined;
  }
  if (!outcome.ok) ports.log.warn({ task: work.task, code: outcome.fault.code }, 'the plan gave no answer');
  const reply = await report(outcome, work.round, ports);
  if (reply.released) return { code: 'Released' };
  if (reply.code === 'RunAgain') return undefined;
  return { code: 'Failed', fault: outcome.ok ? { code: reply.code, message: reply.message } : outcome.fault };
};

/** Until the sidecar needs no more. A sidecar that restarts gives the work anew. */
export const workUntilReleased = async (ports: Ports): Promise<Ending> => {
  for (let failures = 0; !ports.stopped();) {
    try {
      const ending = await round(ports);
      if (ending) return ending;
      failures = 0;
    } catch (error) {
      if (statusOf(error) === status.ALREADY_EXISTS) return { code: 'AlreadyReleased' };
      if (failures === 0) ports.log.warn({ status: statusOf(error) }, 'the enclave sidecar does not answer; trying again');
      await ports.sleep(Math.min(MAX_BACKOFF_MS, 200 * 2 ** Math.min(failures++, 10)) * (0.5 + Math.random() / 2));
    }
  }
  return { code: 'Stopped' };
};
