import { expect, test } from 'vitest';
import { walkBudget } from '../testing/budget-walk.ts';

/** A million of them: `make bench`. */
test.each([1, 2])(
  'B5, B2: 50,000 random steps beside a model of charges, replenished, revoked, erased, repeated, restored (seed %i)',
  (seed) => {
    expect(() => walkBudget(50_000, seed)).not.toThrow();
  },
);
