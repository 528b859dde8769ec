/** Messages between masters, well formed and otherwise of any content. */
import type { Attestation } from '@scs/protocol';
import fc from 'fast-check';
import type { PeerMessage } from '../wire-codec.ts';

const hexOf = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => Buffer.from(b).toString('hex'));
const digest = hexOf(32);
const signature = hexOf(64);
const view = fc.nat();
const height = fc.bigInt(0n, 2n ** 62n);
const key = digest;
const reference = fc.record({ key, counter: fc.nat() });
const head = fc.record({ genesis: digest, generation: height, height, stateRoot: digest, block: digest });
const vote = fc.record({ master: fc.integer({ min: 0, max: 2 }), signature });
const certificate = fc.record({ head, votes: fc.array(vote, { maxLength: 3 }) });
export const someBytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
const ui = fc.record({ key, counter: fc.nat(), signature });
const again = fc.record({ height, block: digest, vouched: fc.boolean() });
const lead = fc.record({ quorum: fc.array(digest, { maxLength: 2 }), again: fc.array(again, { maxLength: 4 }) });
const kind = <K extends string>(name: K) => fc.constant(name);
const quiet = fc.oneof(
  fc.record({ kind: kind('commit'), view, height, block: digest, prepare: reference }),
  fc.record({ kind: kind('view-change'), view }),
  fc.record({ kind: kind('new-view'), view, base: fc.option(certificate), quorum: fc.tuple(reference, reference) }),
  fc.record({
    kind: kind('checkpoint'),
    view,
    height,
    certificate,
    lead: fc.option(lead),
    seen: fc.array(reference, { maxLength: 9 }),
  }),
);
const prepare = fc.record({ kind: kind('prepare'), view, height, block: digest });
const statement = fc.record({
  value: fc.record({
    genesis: digest,
    generation: height,
    formation: fc.integer({ min: 1, max: 1_000_000 }),
    master: fc.integer({ min: 0, max: 2 }),
    key,
    ended: fc.option(reference),
    certified: fc.option(certificate),
    quiet: fc.boolean(),
    blank: fc.boolean(),
  }),
  signature,
});
const confirmation = fc.record({
  value: fc.record({ formation: fc.integer({ min: 1, max: 1_000_000 }), master: fc.integer({ min: 0, max: 2 }), set: digest }),
  signature,
});
const opened = fc.record({
  statements: fc.array(statement, { minLength: 3, maxLength: 3 }),
  confirmations: fc.array(confirmation, { minLength: 3, maxLength: 3 }),
});
const prefix = fc.array(fc.constantFrom('0', '1'), { maxLength: 256 }).map((bits) => bits.join(''));
const entries = fc.record({ kind: kind('entries'), entries: fc.array(fc.tuple(fc.string(), someBytes), { maxLength: 4 }) });
const reports = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ minLength: 1_184, maxLength: 1_184 }),
  fc.uint8Array({ minLength: 1_184, maxLength: 1_200 }),
);
export const attestations: fc.Arbitrary<Attestation> = fc.record({
  kind: fc.constantFrom('simulated', 'sev-snp', 'tdx'),
  report: reports.map((bytes) => Buffer.from(bytes).toString('hex')),
  collateral: fc.array(fc.oneof(digest, signature, fc.string({ maxLength: 40 })), { maxLength: 3 }),
});
export const messages: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({ kind: kind('stream'), message: fc.record({ body: quiet, ui }) }),
  fc.record({ kind: kind('stream'), message: fc.record({ body: prepare, ui, bytes: someBytes }) }),
  fc.record({ kind: kind('vote'), head, vote }),
  fc.record({ kind: kind('command'), bytes: someBytes }),
  fc.record({ kind: kind('request-view'), view }),
  fc.record({ kind: kind('certified'), bytes: someBytes, certificate }),
  fc.record({ kind: kind('status'), certified: height, fetching: height, next: fc.array(reference, { maxLength: 8 }) }),
  fc.record({ kind: kind('snapshot'), bytes: someBytes, certificate }),
  fc.record({ kind: kind('want-part'), height, prefix }),
  fc.record({
    kind: kind('part'),
    height,
    prefix,
    part: fc.oneof(entries, fc.record({ kind: kind('halves'), left: digest, right: digest })),
  }),
  fc.record({ kind: kind('hello'), formation: fc.nat(), key, admitted: fc.boolean() }),
  fc.record({ kind: kind('statement'), statement, attestation: attestations }),
  fc.record({ kind: kind('confirmation'), confirmation }),
  fc.record({ kind: kind('opened'), opened }),
);
