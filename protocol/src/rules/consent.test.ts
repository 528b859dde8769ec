import fc from 'fast-check';
import { expect, test } from 'vitest';
import { usages } from '../policy.ts';
import { consents, consentStates, useRefusal, type ConsentEntry } from './consent.ts';

const entry: fc.Arbitrary<ConsentEntry> = fc.record({
  subject: fc.constantFrom('ann', 'bob'),
  usage: fc.constantFrom(...usages),
  state: fc.constantFrom(...consentStates),
  time: fc.integer({ min: 0, max: 5 }),
});
const said = (state: ConsentEntry['state'], time: number): ConsentEntry => ({ subject: 'ann', usage: 'marketing', state, time });

test('C4: no consent recorded is no consent; one for another usage or subject neither', () => {
  expect(consents([], 'ann', 'marketing')).toBe(false);
  expect(consents([said('granted', 1)], 'ann', 'analytics')).toBe(false);
  expect(consents([said('granted', 1)], 'bob', 'marketing')).toBe(false);
  expect(consents([said('granted', 1)], 'ann', 'marketing')).toBe(true);
});

test('C4: the latest entry wins; at the same time the revocation', () => {
  expect(consents([said('revoked', 2), said('granted', 1)], 'ann', 'marketing')).toBe(false);
  expect(consents([said('revoked', 2), said('granted', 3)], 'ann', 'marketing')).toBe(true);
  expect(consents([said('revoked', 2), said('granted', 2)], 'ann', 'marketing')).toBe(false);
});

test('C4: the order in which a history was recorded does not matter', () =>
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (history, dice) => {
      const shuffled = history.toSorted(() => (dice.next().value! % 2 === 0 ? 1 : -1));
      for (const subject of ['ann', 'bob'])
        for (const usage of usages) expect(consents(shuffled, subject, usage)).toBe(consents(history, subject, usage));
    }),
  ));

test('C2: a revocation later than all else is always a no', () =>
  fc.assert(fc.property(fc.array(entry, { maxLength: 12 }), (history) => !consents([...history, said('revoked', 6)], 'ann', 'marketing'))));

const ACTOR = `0x${'aa'.repeat(32)}`;
const manifest = {
  domains: [{ name: 'retail.purchase', usages: ['marketing' as const], classes: ['query' as const] }],
  actors: [ACTOR],
};
const use = { submitter: ACTOR, class: 'query', domain: 'retail.purchase', usage: 'marketing' } as const;
test.each`
  rule    | changed                                  | code
  ${'C1'} | ${{}}                                    | ${undefined}
  ${'C1'} | ${{ usage: 'training' }}                 | ${'UsageNotOffered'}
  ${'C1'} | ${{ domain: 'health.visit' }}            | ${'UsageNotOffered'}
  ${'C1'} | ${{ class: 'train' }}                    | ${'ClassNotOffered'}
  ${'C1'} | ${{ submitter: `0x${'bb'.repeat(32)}` }} | ${'ActorNotPermitted'}
`('$rule: a use with $changed gives $code', ({ changed, code }) => expect(useRefusal(manifest, { ...use, ...changed })?.code).toBe(code));
