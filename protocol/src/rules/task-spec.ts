/** What a schema can't say of a query's spec (rules N5, S2, B5): cross-field rules, decimals, dates. One sentence, or undefined. */
import { parseEpsilon, parseSym, U64_MAX } from '../amounts.ts';
import type { Policy } from '../policy.ts';
import type { Measure, Predicate, TaskSpec } from '../resources/task.ts';
import { instantMs } from './log-time.ts';

type Check = (spec: TaskSpec, policy: Policy) => string | undefined;

const isDecimal = (parse: (text: string) => bigint, text: string): boolean => {
  try {
    return parse(text) > 0n;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
};
const predicateProblem = (predicate: Predicate): string | undefined => {
  const { attribute, in: buckets, from, until } = predicate;
  const range = from !== undefined && until !== undefined;
  if (buckets !== undefined && from === undefined && until === undefined) return undefined;
  return buckets === undefined && range ? undefined : `the predicate on ${attribute} needs either "in", or "from" and "until"`;
};

const measureProblem = ({ kind, attribute, rank, clipAt }: Measure): string | undefined => {
  if (kind === 'quantile' && clipAt !== undefined) return `the quantile of ${attribute} takes no clipAt: its grid bounds it`;
  if (kind !== 'quantile') return rank === undefined ? undefined : `the ${kind} of ${attribute} takes no rank`;
  return rank !== undefined && /[1-9]/.test(rank) ? undefined : `the quantile of ${attribute} needs a rank between 0 and 1, such as "0.5"`;
};

const hasQuery: Check = ({ query }) => (query ? undefined : 'class query needs spec.query');
const predicatesWhole: Check = ({ query }) =>
  [...(query?.where ?? []), ...(query?.anyOf ?? []).flat()].map(predicateProblem).find((problem) => problem !== undefined);
const measuresWhole: Check = ({ query }) => query?.measures?.map(measureProblem).find((problem) => problem !== undefined);
const epsilonPositive: Check = ({ privacy }) =>
  isDecimal(parseEpsilon, privacy.epsilon) ? undefined : 'privacy.epsilon must be above 0, with at most six decimals';
const feeCountable: Check = ({ maxFee }) =>
  isDecimal(parseSym, maxFee) && parseSym(maxFee) <= U64_MAX ? undefined : 'maxFee must be above 0 and below 184467440737 SYM';
const deadlineWithinPolicy: Check = ({ deadlineSeconds }, { windows }) =>
  deadlineSeconds * 1000 <= windows.maxTaskMs ? undefined : `deadlineSeconds is above the policy's ${Math.floor(windows.maxTaskMs / 1000)}`;
const expiryReadable: Check = ({ authorization }) =>
  !authorization || instantMs(authorization.expiry) !== undefined
    ? undefined
    : 'authorization.expiry must be an RFC 3339 time in UTC with at most three decimals, such as 2026-01-31T12:00:00Z';

const audienceForMarketing: Check = ({ query, usage }) =>
  query?.audience === undefined || usage === 'marketing' ? undefined : `an audience is for usage marketing, not ${usage}`;

const checks: readonly Check[] = [
  hasQuery,
  predicatesWhole,
  measuresWhole,
  audienceForMarketing,
  epsilonPositive,
  feeCountable,
  deadlineWithinPolicy,
  expiryReadable,
];

export const specProblem = (spec: TaskSpec, policy: Policy): string | undefined => {
  for (const check of checks) {
    const problem = check(spec, policy);
    if (problem !== undefined) return problem;
  }
  return undefined;
};
