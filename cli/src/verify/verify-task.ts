/**
 * The chain of proof from manifest to transaction (rules N5, N6, E2, S6, B3, A5, M2, P3): pure. Every line recomputes or
 * verifies for itself; the API server and the masters are only believed where two masters' signatures say so.
 */
import type { Check } from './check.ts';
import { envelope, envelopeFits, history, manifest, plan, projection, taskRecord, vaults } from './request.ts';
import { batchCertified, fee, onChain, payout, settlementLeaf } from './settlement.ts';
import { subjectOf, type Subject, type VerifyInput } from './subject.ts';
import { aggregate, aggregator, opened, receipt, sealedResult, slice } from './work.ts';

/** All lines, in the order of the task's life. Never throws: what can't be read is a problem of the line that reads it. */
export const verifyTask = (input: VerifyInput): readonly Check[] => {
  const subject = subjectOf(input);
  const request = [manifest, taskRecord, history, projection, envelope, envelopeFits, plan, vaults];
  const work = [aggregator, aggregate, sealedResult, opened];
  const settlement = [fee, settlementLeaf, batchCertified, payout, onChain];
  return [
    ...request.map((line) => line(subject)),
    ...survivorsOf(subject).flatMap((vault, i) => [receipt(subject, vault), slice(subject, vault, i)]),
    ...[...work, ...settlement].map((line) => line(subject)),
  ];
};

/** A record that can't be read has no survivors to show; the line on the record says why. */
const survivorsOf = ({ record }: Subject): readonly string[] => {
  try {
    return record().survivors ?? [];
  } catch {
    return [];
  }
};
