/**
 * What the masters would make of a manifest, before it is signed (rules S6, K1, B4): pure, from genesis and public figures alone,
 * so it charges nothing and tells nobody.
 */
import {
  epsilonShare,
  explain,
  formatEpsilon,
  formatSym,
  parseEpsilon,
  parseSym,
  planDigest,
  queryPrice,
  resolveQuery,
  semanticVersion,
  termsOf,
  type Genesis,
  type OwnAttributesOf,
  type Plan,
  type PlanMeasure,
  type Policy,
  type Rejection,
  type TaskSpec,
} from '@scs/protocol';
import { epsilonOfRho } from '@scs/protocol/mechanisms/accounting.ts';
import { oneVault } from '@scs/protocol/rules/vault-selection.ts';
import { specProblem } from '@scs/protocol/rules/task-spec.ts';
import { CliError } from './errors.ts';
import { measureName } from './result-measures.ts';

export interface Quote {
  /** What the price is over, in words. */
  readonly over: string;
  /** Base units of SYM. */
  readonly amount: bigint;
}
export interface ResolvedTask {
  readonly plan: Plan;
  readonly digest: string;
  readonly semanticVersion: string;
  readonly policyVersion: number;
  readonly warnings: readonly string[];
  /** The upper quote: of the Vaults named, or from the fewest and smallest to the most and largest that could be asked. */
  readonly quotes: readonly Quote[];
  readonly maxFee: bigint;
  /** All that a subject may lose of the usage until replenishment, and what that means at the policy's delta (B1, B7). */
  readonly limit: { readonly microRho: bigint; readonly epsilon?: bigint; readonly deltaExponent?: number };
}

const refuse = (rejection: Rejection): never => {
  throw new CliError(rejection.code, explain(rejection));
};

/**
 * `sizeBands`: the public size band of each Vault that would be asked; undefined when they are unknown. `own`: what is known of the
 * Vaults' own attributes (S3).
 * Throws CliError with the code and the sentence with which the masters would reject the task.
 */
export const resolveTask = (
  spec: TaskSpec,
  genesis: Genesis,
  sizeBands: readonly number[] | undefined,
  own: OwnAttributesOf = () => undefined,
): ResolvedTask => {
  const { policy, catalogue } = genesis;
  if (spec.class !== 'query') refuse({ code: 'ClassNotSupported', class: spec.class });
  const problem = specProblem(spec, policy);
  if (problem !== undefined) refuse({ code: 'SpecInvalid', problem });
  const asked = parseEpsilon(spec.privacy.epsilon);
  const maximum = policy.privacy.maxEpsilonPerTask;
  if (asked > maximum) refuse({ code: 'EpsilonAboveMaximum', asked, maximum });
  const resolution = resolveQuery(termsOf(spec), catalogue, policy, SOME_EPOCH, own);
  if (!resolution.ok) return refuse(resolution.rejection);
  const { plan, warnings } = resolution.value;
  const { quorum } = spec.coordination;
  if (plan.vault !== undefined && quorum > 1) refuse({ code: 'QuorumUnreachable', quorum, possible: 1, why: oneVault(plan.vault) });
  const quotes = quotesOf(spec, genesis, plan, sizeBands);
  const maxFee = parseSym(spec.maxFee);
  const least = quotes[0]!.amount;
  if (least > maxFee) refuse({ code: 'FeeAboveMaximum', quote: least, maximum: maxFee });
  return {
    plan,
    digest: planDigest(plan),
    semanticVersion: semanticVersion(catalogue),
    policyVersion: policy.version,
    warnings,
    quotes,
    maxFee,
    limit: limitOf(policy, plan.usage),
  };
};

const limitOf = ({ privacy }: Policy, usage: Plan['usage']): ResolvedTask['limit'] => {
  const { deltaExponent, subjectLimitMicroRho } = privacy;
  const microRho = subjectLimitMicroRho[usage] ?? 0n;
  if (deltaExponent === undefined) return { microRho };
  return { microRho, epsilon: epsilonOfRho(microRho, { numerator: 1n, denominator: 10n ** BigInt(deltaExponent) }), deltaExponent };
};

const quotesOf = (
  { coordination: { quorum } }: TaskSpec,
  { policy }: Genesis,
  plan: Plan,
  sizeBands: readonly number[] | undefined,
): Quote[] => {
  const bands = policy.fees.query.perSizeBand.length;
  const price = (of: readonly number[]): bigint =>
    queryPrice(
      policy,
      of.map((sizeBand) => ({ sizeBand })),
      plan.epsilon,
    );
  if (sizeBands) {
    const unpriced = sizeBands.find((band) => band >= bands);
    if (unpriced !== undefined)
      throw new CliError('SizeBandUnknown', `Size band ${unpriced} has no price; the policy has bands 0 to ${bands - 1}.`);
    if (sizeBands.length < quorum)
      refuse({ code: 'QuorumUnreachable', quorum, possible: sizeBands.length, why: 'no more Vaults were given in --vaults' });
    return [{ over: `${sizeBands.length} Vaults of size bands ${sizeBands.join(', ')}`, amount: price(sizeBands) }];
  }
  if (plan.vault !== undefined) return [{ over: `Vault ${plan.vault}, at the largest size band`, amount: price([bands - 1]) }];
  const most = Math.max(quorum, plan.overlapBound);
  return [
    { over: `${quorum} Vaults of the smallest size band`, amount: price(Array.from({ length: quorum }, () => 0)) },
    { over: `${most} Vaults of the largest size band`, amount: price(Array.from({ length: most }, () => bands - 1)) },
  ];
};

const SHOWN_VALUES = 6;
/** Only hashed attributes depend on it: they show as a count of groups, whatever the epoch. */
const SOME_EPOCH = 0;
const listed = (values: readonly string[]): string =>
  values.length > SHOWN_VALUES ? `${values.slice(0, SHOWN_VALUES).join(', ')} and ${values.length - SHOWN_VALUES} more` : values.join(', ');
const predicateText = (predicate: Plan['where'][number][number]): string => {
  if (predicate.op === 'days') return `${predicate.column} from ${predicate.from} until before ${predicate.until}`;
  if (predicate.op === 'range') {
    const bounds = [
      ...(predicate.atLeast === undefined ? [] : [`at least ${predicate.atLeast}`]),
      ...(predicate.below === undefined ? [] : [`below ${predicate.below}`]),
    ];
    return `${predicate.column} ${bounds.join(' and ') || 'of any number'}`;
  }
  if (predicate.op === 'hash')
    return `${predicate.column} in ${predicate.in.length} of ${predicate.groups} hash groups, by the key of the epoch of admission`;
  const values = listed(predicate.values);
  return predicate.op === 'in' ? `${predicate.column} in (${values})` : `${predicate.column} missing or not in (${values})`;
};
const cellText = ({ label, values }: Plan['group']['cells'][number], column: string | undefined): string => {
  if (column === undefined) return `${label}: all subjects`;
  return `${label}: ${values ? `${column} in (${listed(values)})` : `any other ${column}`}`;
};

const measureText = (measure: PlanMeasure): string =>
  measure.kind === 'quantile'
    ? `${measureName(measure)}, by the grid ${measure.grid.join(', ')}`
    : `${measureName(measure)}, each subject's total clipped to ${measure.low}..${measure.high}`;

const line = (name: string, value: string): string => `${name.padEnd(18)}${value}`;
export const resolvedLines = ({
  plan,
  digest,
  semanticVersion: version,
  policyVersion,
  warnings,
  quotes,
  maxFee,
  limit,
}: ResolvedTask): string[] => [
  line('plan', digest),
  line('semantic version', version),
  line('policy version', String(policyVersion)),
  line('domain', `${plan.domain}, for ${plan.usage}`),
  ...(plan.vault === undefined ? [] : [line('vault', `${plan.vault} alone, of whose own the query asks`)]),
  ...(plan.crossed ?? []).map(({ column, domain }) => line('across', `${column}, from the subject's records of ${domain}`)),
  line('count', plan.count),
  ...plan.where.map((alternatives) => line('where', alternatives.map(predicateText).join(' or '))),
  ...plan.group.cells.map((cell) => line('cell', cellText(cell, plan.group.column))),
  ...(plan.measures ?? []).map((measure) => line('measure', measureText(measure))),
  ...(plan.audience ? [line('audience', `kept by each Vault for ${plan.audience.expiresSeconds} s, for its operator alone`)] : []),
  ...(plan.cellsPerSubject > 1 ? [line('cells a subject', `${plan.cellsPerSubject}: noise grows with it`)] : []),
  line(
    'epsilon',
    `${formatEpsilon(plan.epsilon)} a Vault${plan.measures ? `, ${formatEpsilon(epsilonShare(plan))} for the count and for each measure` : ''}: ${plan.microRho} micro-rho of each eligible subject's budget`,
  ),
  ...(limit.epsilon === undefined
    ? []
    : [
        line(
          'limit',
          `${limit.microRho} micro-rho a subject until replenishment: epsilon ${formatEpsilon(limit.epsilon)} at delta 10^-${limit.deltaExponent}, of all tasks together`,
        ),
      ]),
  line(
    'suppressed',
    `cells whose noisy count is below ${plan.minimumResultCardinality * plan.overlapBound} (${plan.minimumResultCardinality} times overlap bound ${plan.overlapBound})`,
  ),
  ...quotes.map(({ over, amount }) => line('price at most', `${formatSym(amount)} SYM for ${over}`)),
  line('maxFee', `${formatSym(maxFee)} SYM${quotes.some((q) => q.amount > maxFee) ? ': may be too low' : ''}`),
  ...warnings.map((warning) => line('warning', warning)),
];

/** Amounts in SYM, epsilon as a decimal. */
export const resolvedJson = (resolved: ResolvedTask, budget?: object): string => {
  const { plan, quotes, maxFee, limit, ...rest } = resolved;
  return JSON.stringify(
    {
      ...rest,
      plan: { ...plan, epsilon: formatEpsilon(plan.epsilon), microRho: Number(plan.microRho) },
      quotes: quotes.map(({ over, amount }) => ({ over, amount: formatSym(amount) })),
      maxFee: formatSym(maxFee),
      limit: { ...limit, microRho: String(limit.microRho), ...(limit.epsilon !== undefined && { epsilon: formatEpsilon(limit.epsilon) }) },
      ...(budget && { budget }),
    },
    null,
    2,
  );
};
