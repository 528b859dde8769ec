import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  commitReservation,
  dropSubjects,
  emptyLedger,
  releaseReservation,
  reserve,
  subjectLimit,
  type Ledger,
  type LedgerStep,
} from './ledger.ts';

const LIMIT = 100n;
type Operation =
  | { readonly kind: 'reserve'; readonly task: string; readonly ask: bigint; readonly subjects: readonly string[] }
  | { readonly kind: 'commit'; readonly task: string; readonly used: bigint }
  | { readonly kind: 'release'; readonly task: string }
  | { readonly kind: 'drop'; readonly task: string; readonly subjects: readonly string[] };

const task = fc.constantFrom('t1', 't2', 't3', 't4', 't5');
const subjects = fc.subarray(['ann', 'bob', 'cem', 'dua']);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('reserve' as const), task, ask: fc.bigInt({ min: 1n, max: 130n }), subjects }),
  fc.record({ kind: fc.constant('commit' as const), task, used: fc.bigInt({ min: 0n, max: 130n }) }),
  fc.record({ kind: fc.constant('release' as const), task }),
  fc.record({ kind: fc.constant('drop' as const), task, subjects }),
);
const after = (ledger: Ledger, step: LedgerStep): Ledger => (step.ok ? step.ledger : ledger);
const apply = (ledger: Ledger, op: Operation): Ledger => {
  switch (op.kind) {
    case 'reserve':
      return reserve(ledger, op.task, op.ask, op.subjects, LIMIT);
    case 'commit':
      return after(ledger, commitReservation(ledger, op.task, op.used));
    case 'release':
      return after(ledger, releaseReservation(ledger, op.task));
    case 'drop':
      return after(ledger, dropSubjects(ledger, op.task, new Set(op.subjects)));
  }
};
const run = (operations: readonly Operation[]): readonly Ledger[] => {
  const states: Ledger[] = [emptyLedger];
  for (const op of operations) states.push(apply(states.at(-1)!, op));
  return states;
};

test('B5: reserved + spent never exceeds the limit, and nothing is negative, under any interleaving', () =>
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) =>
      run(operations).every((ledger) =>
        [...ledger.accounts.values()].every(({ reserved, spent }) => reserved >= 0n && spent >= 0n && reserved + spent <= LIMIT),
      ),
    ),
  ));

test('B5: repeating any step changes nothing', () =>
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), operation, (operations, last) => {
      const once = apply(run(operations).at(-1)!, last);
      expect(apply(once, last)).toEqual(once);
    }),
  ));

test('B2: what accounts hold reserved is the sum of the open reservations, and spent never falls', () =>
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const states = run(operations);
      for (const [i, ledger] of states.entries())
        for (const [subject, account] of ledger.accounts) {
          const open = [...ledger.reservations.values()].filter((r) => r.state === 'reserved' && r.subjects.includes(subject));
          expect(account.reserved).toBe(open.reduce((sum, r) => sum + r.ask, 0n));
          expect(account.spent >= (states[i - 1]?.accounts.get(subject)?.spent ?? 0n)).toBe(true);
        }
    }),
  ));

test('B5: an oversized request spends nothing; B4: it is no refusal either', () => {
  const ledger = reserve(emptyLedger, 't', LIMIT + 1n, ['ann', 'bob'], LIMIT);
  expect(ledger.accounts.size).toBe(0);
  expect(ledger.reservations.get('t')).toEqual({ ask: LIMIT + 1n, subjects: [], state: 'reserved' });
});

test('B2: after a release nothing is committed, after a commit nothing is released', () => {
  const reserved = reserve(emptyLedger, 't', 10n, ['ann'], LIMIT);
  const released = releaseReservation(reserved, 't');
  const committed = commitReservation(reserved, 't', 10n);
  expect(released.ok && commitReservation(released.ledger, 't', 1n)).toMatchObject({ fault: { code: 'ReservationReleased' } });
  expect(committed.ok && releaseReservation(committed.ledger, 't')).toMatchObject({ fault: { code: 'ReservationCommitted' } });
  expect(commitReservation(reserved, 't', 11n)).toMatchObject({ fault: { code: 'AboveReservation' } });
});

const policyWith = (each: bigint) => ({
  privacy: { subjectLimitMicroRho: { personal: 0n, marketing: each, analytics: 0n, training: 0n } },
});
test.each`
  rule    | policy  | overlap | own          | limit
  ${'B1'} | ${100n} | ${3}    | ${undefined} | ${33n}
  ${'C5'} | ${100n} | ${3}    | ${20n}       | ${20n}
  ${'C5'} | ${100n} | ${3}    | ${50n}       | ${33n}
  ${'B1'} | ${2n}   | ${3}    | ${undefined} | ${0n}
`('$rule: $policy over $overlap Vaults, own limit $own, is $limit', ({ policy, overlap, own, limit }) =>
  expect(subjectLimit(policyWith(policy as bigint), 'marketing', overlap, own)).toBe(limit),
);
