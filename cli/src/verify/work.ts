/** Lines on what was done (rules B3, A1-A5, M2, M4, M5, S5): receipts, slices, aggregator, sealed result. */
import { blobDigest, initialState, statementFits, type Genesis, type Plan, type TaskResult } from '@scs/protocol';
import { aggregateFault, sliceFault, taskEvidenceDigest } from '@scs/protocol/rules/aggregation.ts';
import { economyOf } from '@scs/protocol/economy.ts';
import { rankAggregators } from '@scs/protocol/rules/dispatch.ts';
import { receiptOf } from '@scs/protocol/rules/release.ts';
import { check, skip, type Check } from './check.ts';
import { differs, first, partOf, same, type Subject } from './subject.ts';

/** What was bonded at the time isn't in the bundle: without stakes all are ranked, with them some may be left out. */
const withoutStakes = ({ policy }: Genesis): Genesis['policy'] => {
  const economy = economyOf(policy);
  return { ...policy, economy: { ...economy, stakes: { ...economy.stakes, enterprise: 0n } } };
};
const isRanked = (given: readonly string[], all: readonly string[], { policy }: Genesis): boolean =>
  economyOf(policy).stakes.enterprise === 0n
    ? same(given, all)
    : same(
        given,
        all.filter((address) => given.includes(address)),
      );

export const receipt = ({ record, digest, envelope }: Subject, vault: string): Check =>
  check(`receipt ${vault}`, 'signature', `${vault} charged its subjects' budgets and released this output, before any byte left`, () => {
    const part = partOf(record(), vault);
    const stated = receiptOf(record(), part);
    if (!stated || !part.release) return 'there is no receipt';
    const asked = envelope().vaults.find((v) => v.vault === vault);
    if (asked?.key !== part.key) return "the key is not the envelope's";
    if (stated.committedMicroRho > asked.reservedMicroRho) return 'it charged more than it had reserved';
    return statementFits(part.key, 'slice.release', digest, stated, part.release.signature) ? undefined : 'the signature does not fit';
  });

export const slice = ({ record, bundle, context }: Subject, vault: string, index: number): Check =>
  check(
    `slice ${vault}`,
    'attestation',
    `an attested enclave of an allowed measurement ran the plan on ${vault}'s sealed snapshot and committed to its noised output`,
    () => sliceFault(record(), partOf(record(), vault), bundle.evidence.slices[index], context)?.message,
  );

/** The registry is that of the genesis: no command changes it yet. */
export const aggregator = ({ record, genesis, bundle }: Subject): Check =>
  check('aggregator', 'recomputation', 'the aggregator stood in its place of the ranking, and is not the submitter', () => {
    const task = record();
    const enterprise = task.aggregators?.[task.aggregator ?? -1];
    const asked = task.parts.filter((p) => p.reservedMicroRho !== undefined).map((p) => ({ ...p, state: 'reserved' as const }));
    return first(
      enterprise === undefined ? 'the record names none' : undefined,
      enterprise === task.spec.submitter ? 'the aggregator is the submitter' : undefined,
      differs(
        'the ranking',
        isRanked(
          task.aggregators ?? [],
          rankAggregators(initialState(genesis), { ...task, parts: asked }, withoutStakes(genesis)),
          genesis,
        ),
      ),
      differs('the enterprise in the evidence', bundle.evidence.aggregate.evidence.enterprise === enterprise),
    );
  });

export const aggregate = ({ record, bundle, context }: Subject): Check =>
  check(
    'aggregate',
    'attestation',
    'an attested enclave added just these outputs (that the sum is right rests on its attestation alone)',
    () => {
      const { aggregate: signed, slices } = bundle.evidence;
      if (slices.length !== record().survivors?.length) return "the number of slices' evidence differs";
      if (taskEvidenceDigest(signed, slices) !== record().evidence) return 'the evidence is not the certified one';
      return aggregateFault(record(), signed, context)?.message;
    },
  );

export const sealedResult = ({ record, bundle }: Subject): Check =>
  check('sealed-result', 'recomputation', 'the sealed bytes are those that the aggregator signed and the masters certified', () => {
    const blob = blobDigest(bundle.sealed);
    return first(
      differs("the aggregator's digest", bundle.evidence.aggregate.evidence.sealedResult === blob),
      differs('the certified digest', record().sealedResult === blob),
    );
  });

/** One value a measure, a quantile's from its grid; none where there is no count. */
const valuesFit = ({ count, values = [] }: TaskResult['cells'][number], { measures = [] }: Plan): boolean =>
  count === undefined
    ? values.length === 0
    : values.length === measures.length &&
      measures.every((measure, i) => measure.kind !== 'quantile' || measure.grid.some((value) => BigInt(value) === values[i]));

export const opened = ({ opening, record }: Subject): Check => {
  const proves = "the result opens with the submitter's key, has the cells and the noise of the plan, and nothing below the minimum";
  if (opening.kind === 'skipped') return skip('opening', 'seal', proves, opening.why);
  return check('opening', 'seal', proves, () => {
    if (opening.kind === 'failed') return opening.problem;
    const { result } = opening;
    const { plan, envelope, survivors } = record();
    if (!plan) return 'the record has no plan';
    const least = BigInt(plan.minimumResultCardinality) * BigInt(plan.overlapBound);
    const labels = result.cells.map((c) => c.label);
    return first(
      differs('the envelope', result.envelope === envelope),
      differs(
        'the list of cells',
        same(
          labels,
          plan.group.cells.map((c) => c.label),
        ),
      ),
      differs('the number of Vaults', result.vaults === survivors?.length),
      differs('epsilon', result.epsilon === plan.epsilon),
      differs('the number of cells a subject may enter', result.cellsPerSubject === plan.cellsPerSubject),
      differs('the list of measures', same(result.measures ?? [], plan.measures ?? [])),
      result.cells.every((c) => valuesFit(c, plan)) ? undefined : 'a cell has not the values of the plan',
      result.cells.some((c) => c.count !== undefined && c.count < least) ? 'a cell below the minimum cardinality is shown' : undefined,
    );
  });
};
