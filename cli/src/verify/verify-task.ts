/**
 * The chain of proof from manifest to transaction (rules N5, N6, E2, S6, B3, A5, M2, P3): pure. Every line recomputes or
 * verifies for itself; the API server and the masters are only believed where two masters' signatures say so.
 */
import {
  addressOf,
  authorizationMessage,
  blobDigest,
  certificateFault,
  decodeBatch,
  decodeEnvelope,
  decodeRecord,
  encodeCanonical,
  encodePlan,
  encodeSettlementLeaf,
  envelopeDigest,
  equalBytes,
  fromHex,
  genesisDigest,
  hex,
  leafFault,
  rootFromPath,
  semanticVersion,
  statementFits,
  termsDigest,
  termsOf,
  verifySignature,
  type Batch,
  type CertifiedLeaf,
  type Committee,
  type Genesis,
  type Task,
  type TaskEnvelope,
  type TaskRecord,
  type TaskResult,
} from '@scs/protocol';
import { aggregateFault, sliceFault, taskEvidenceDigest } from '@scs/protocol/rules/aggregation.ts';
import { policyOf, type RuleContext } from '@scs/protocol/rules/context.ts';
import { queryPrice } from '@scs/protocol/rules/pricing.ts';
import { receiptOf } from '@scs/protocol/rules/release.ts';
import { resolveQuery } from '@scs/protocol/rules/resolution.ts';
import { settlementLeafOf } from '@scs/protocol/rules/settle.ts';
import type { Bundle } from '../bundle.ts';
import { check, type Check } from './check.ts';

/** What the chain's node says, read by the caller. */
export interface ChainFacts {
  readonly chainId: number;
  /** Hex of the genesis digest that the contracts were initialised with. */
  readonly genesis: string;
  /** Hex; undefined when the batch isn't settled. */
  readonly tasksRoot: string | undefined;
  readonly transaction: { readonly success: boolean; readonly version: string } | undefined;
}
export interface VerifyInput {
  readonly task: Task;
  readonly genesis: Genesis;
  readonly bundle: Bundle;
  /** The opened result, or why it was not opened. */
  readonly opened: TaskResult | string;
  /** What the chain says, or why it was not asked. */
  readonly chain: ChainFacts | string;
}
/** What the lines share, decoded once; decoding failures surface in the first line that needs them. */
interface Subject extends VerifyInput {
  readonly digest: string;
  readonly committee: Committee;
  readonly context: RuleContext;
  readonly record: () => TaskRecord;
  readonly envelope: () => TaskEnvelope;
  readonly batch: () => Batch | undefined;
}

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};
const same = (a: unknown, b: unknown): boolean => equalBytes(encodeCanonical(a), encodeCanonical(b));
const differs = (what: string, equal: boolean): string | undefined => (equal ? undefined : `${what} differs`);
const first = (...problems: readonly (string | undefined)[]): string | undefined => problems.find((p) => p !== undefined);

/** All lines, in the order of the task's life. */
export const verifyTask = (input: VerifyInput): readonly Check[] => {
  const { genesis, bundle } = input;
  const digest = genesisDigest(genesis);
  const subject: Subject = {
    ...input,
    digest,
    committee: { generation: bundle.task.certificate.head.generation, keys: genesis.masters.map((m) => m.publicKey) },
    context: { genesis, genesisDigest: digest, time: 0, height: 0n },
    record: once(() => decodeRecord('task', bundle.task.value)),
    envelope: once(() => decodeEnvelope(fromHex(bundle.envelope.value))),
    batch: once(() => bundle.batch && decodeBatch(fromHex(bundle.batch.value))),
  };
  const survivors = once(() => subject.record().survivors ?? []);
  return [
    manifest(subject),
    certifiedLeaf(
      subject,
      'task-record',
      'two of three masters certified this record of the task',
      bundle.task,
      `task/${input.task.metadata.uid}`,
    ),
    projection(subject),
    certifiedLeaf(
      subject,
      'envelope',
      'two of three masters certified this TaskEnvelope',
      bundle.envelope,
      `envelope/${input.task.metadata.uid}`,
    ),
    envelopeFits(subject),
    plan(subject),
    ...survivorsOr(survivors).flatMap((vault, i) => [receipt(subject, vault), slice(subject, vault, i)]),
    aggregate(subject),
    sealedResult(subject),
    opening(subject),
    price(subject),
    settlementLeaf(subject),
    batchCertified(subject),
    onChain(subject),
  ];
};

/** A record that can't be decoded has no survivors to show; the line on the record says why. */
const survivorsOr = (survivors: () => readonly string[]): readonly string[] => {
  try {
    return survivors();
  } catch (cause) {
    if (cause instanceof Error) return [];
    throw cause;
  }
};

const manifest = ({ task, genesis, digest }: Subject): Check =>
  check('manifest', 'signature', 'the submitter signed this spec, under this name, for this group and chain', () => {
    const authorization = task.spec.authorization;
    if (!authorization) return 'the task carries no authorization';
    const { publicKey, nonce, expiry, signature } = authorization;
    if (addressOf(publicKey) !== task.spec.submitter) return "the key is not the submitter's";
    const message = authorizationMessage({
      genesis: digest,
      chainId: genesis.chain.chainId,
      namespace: task.metadata.namespace!,
      name: task.metadata.name,
      spec: task.spec,
      nonce,
      expiryMs: BigInt(Date.parse(expiry)),
    });
    return verifySignature(publicKey, message, signature) ? undefined : 'the signature does not fit';
  });

const certifiedLeaf = ({ digest, committee }: Subject, name: string, proves: string, leaf: CertifiedLeaf, key: string): Check =>
  check(name, 'certificate', proves, () => {
    if (leaf.key !== key) return `the leaf is ${leaf.key}, not ${key}`;
    return leafFault(leaf, digest, committee)?.code;
  });

const projection = ({ task, record }: Subject): Check =>
  check('projection', 'recomputation', 'what kubectl shows of the task is what the masters certified', () => {
    const { status } = task;
    const certified = record();
    return first(
      differs('the spec', same(task.spec, certified.spec)),
      differs('the state', status?.state === certified.state),
      differs('the envelope digest', status?.envelopeDigest === certified.envelope),
      differs('the result digest', status?.result?.digest === certified.sealedResult),
      differs(
        'the history',
        same(
          status?.history?.map((h) => [h.state, h.height]),
          certified.history.map((h) => [h.state, Number(h.height)]),
        ),
      ),
    );
  });

const envelopeFits = ({ task, envelope, record, digest }: Subject): Check =>
  check('envelope-fits', 'recomputation', 'the envelope is of this task, and its digest is the one that all evidence carries', () => {
    const e = envelope();
    return first(
      differs('the digest', envelopeDigest(e) === record().envelope),
      differs('the group', e.genesis === digest),
      differs('the task', e.uid === task.metadata.uid && e.namespace === task.metadata.namespace && e.name === task.metadata.name),
      differs('the signed terms', e.terms === termsDigest(termsOf(task.spec))),
      differs('the nonce', e.nonce === task.spec.authorization?.nonce),
      differs('the result key', e.resultKey === task.spec.resultKey),
    );
  });

const plan = ({ task, envelope, genesis }: Subject): Check =>
  check('plan', 'recomputation', 'the Vaults were asked just what the manifest says, resolved by the catalogue of the genesis', () => {
    const e = envelope();
    if (e.semanticVersion !== semanticVersion(genesis.catalogue)) return 'the catalogue is another';
    const resolved = resolveQuery(termsOf(task.spec), genesis.catalogue, policyOf(genesis, Number(e.policyVersion)));
    if (!resolved.ok) return 'the manifest does not resolve';
    return differs('the plan', hex(encodePlan(resolved.value.plan)) === e.plan);
  });

const partOf = (record: TaskRecord, vault: string) => {
  const part = record.parts.find((p) => p.vault === vault);
  if (!part) throw new Error(`${vault} has no part in the task`);
  return part;
};

const receipt = ({ record, digest, envelope }: Subject, vault: string): Check =>
  check(`receipt ${vault}`, 'signature', `${vault} charged its subjects' budgets and released this output, before any byte left`, () => {
    const part = partOf(record(), vault);
    const stated = receiptOf(record(), part);
    if (!stated || !part.release) return 'there is no receipt';
    if (!envelope().vaults.some((v) => v.vault === vault && v.key === part.key)) return "the key is not the envelope's";
    return statementFits(part.key, 'slice.release', digest, stated, part.release.signature) ? undefined : 'the signature does not fit';
  });

const slice = ({ record, bundle, context }: Subject, vault: string, index: number): Check =>
  check(
    `slice ${vault}`,
    'attestation',
    `an attested enclave ran the plan on ${vault}'s sealed snapshot and committed to its noised output`,
    () => {
      const found = sliceFault(record(), partOf(record(), vault), bundle.evidence.slices[index], context);
      return found?.message;
    },
  );

const aggregate = ({ record, bundle, context, task }: Subject): Check =>
  check(
    'aggregate',
    'attestation',
    'an attested enclave, not of the submitter, added just these outputs (that the sum is right rests on its attestation alone)',
    () => {
      const { aggregate: signed, slices } = bundle.evidence;
      if (signed.evidence.enterprise === task.spec.submitter) return 'the aggregator is the submitter';
      if (taskEvidenceDigest(signed, slices) !== record().evidence) return 'the evidence is not the certified one';
      return aggregateFault(record(), signed, context)?.message;
    },
  );

const sealedResult = ({ record, bundle }: Subject): Check =>
  check('sealed-result', 'recomputation', 'the sealed bytes are those that the aggregator signed and the masters certified', () => {
    const blob = blobDigest(bundle.sealed);
    return first(
      differs("the aggregator's digest", bundle.evidence.aggregate.evidence.sealedResult === blob),
      differs('the certified digest', record().sealedResult === blob),
    );
  });

const opening = ({ opened, record }: Subject): Check => {
  const proves = "the result opens with the submitter's key, has the cells of the plan, and nothing below the minimum cardinality";
  if (typeof opened === 'string') return { name: 'opening', basis: 'seal', proves, skipped: opened };
  return check('opening', 'seal', proves, () => {
    const task = record();
    const certified = task.plan!;
    const least = BigInt(certified.minimumResultCardinality * certified.overlapBound);
    return first(
      differs('the envelope', opened.envelope === task.envelope),
      differs(
        'the list of cells',
        same(
          opened.cells.map((c) => c.label),
          certified.group.cells.map((c) => c.label),
        ),
      ),
      differs('the number of Vaults', opened.vaults === task.survivors?.length),
      opened.cells.some((c) => c.count !== undefined && c.count < least) ? 'a cell below the minimum cardinality is shown' : undefined,
    );
  });
};

const price = ({ record, genesis, envelope }: Subject): Check =>
  check(
    'fee',
    'recomputation',
    'the charge follows from the policy and the Vaults that delivered, and is at most the quote and maxFee',
    () => {
      const task = record();
      if (task.charge === undefined || task.quote === undefined) return 'no charge is fixed';
      const policy = policyOf(genesis, task.policyVersion);
      const due = queryPrice(
        policy,
        task.parts.filter((p) => p.release),
        task.plan!.epsilon,
      );
      return first(
        differs('the charge', task.charge === due),
        differs('the quote', task.quote === envelope().quote),
        task.charge > task.quote || task.quote > task.maxFee ? 'the charge is above the quote or maxFee' : undefined,
      );
    },
  );

const settlementLeaf = ({ record, bundle, batch }: Subject): Check => {
  const proves = 'the charge is a leaf of the settlement batch: envelope, quote, charge, refund, evidence';
  const { settlement } = bundle;
  if (!settlement || !bundle.batch)
    return { name: 'settlement-leaf', basis: 'recomputation', proves, skipped: 'the task is not settled yet' };
  return check('settlement-leaf', 'recomputation', proves, () => {
    const leaf = encodeSettlementLeaf(settlementLeafOf(record()));
    const root = rootFromPath(settlement.index, settlement.count, leaf, settlement.path.map(fromHex));
    return differs(
      "the batch's root of tasks",
      root !== undefined && hex(root) === batch()?.tasksRoot && BigInt(settlement.count) === batch()?.taskCount,
    );
  });
};

const batchCertified = (subject: Subject): Check => {
  const proves = 'two of three masters certified the settlement batch';
  const { bundle, digest, record } = subject;
  const leaf = bundle.batch;
  if (!leaf) return { name: 'batch', basis: 'certificate', proves, skipped: 'the task is not settled yet' };
  return check('batch', 'certificate', proves, () => {
    if (leaf.key !== `batch/${record().batch}`) return `the leaf is ${leaf.key}, not batch/${record().batch}`;
    return leafFault(leaf, digest, subject.committee)?.code ?? certificateFault(leaf.certificate, digest, subject.committee)?.code;
  });
};

const onChain = ({ chain, batch, digest, genesis }: Subject): Check => {
  const proves = 'the contract on the chain accepted this batch, of this group, once and for ever';
  if (typeof chain === 'string') return { name: 'chain', basis: 'chain', proves, skipped: chain };
  return check('chain', 'chain', proves, () =>
    first(
      differs('the chain', chain.chainId === genesis.chain.chainId),
      differs('the genesis in the contract', chain.genesis === digest),
      chain.tasksRoot === undefined
        ? 'the chain has no such batch'
        : differs("the batch's root of tasks on the chain", chain.tasksRoot === batch()?.tasksRoot),
      chain.transaction === undefined ? undefined : differs("the transaction's success", chain.transaction.success),
    ),
  );
};
