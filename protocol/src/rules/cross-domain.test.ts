/** S4: a derivation across concrete domains needs an approval, which two masters give, and take back. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { termsOf } from '../authorization.ts';
import type { Catalogue, QueryAttribute } from '../catalogue.ts';
import { changed, type CatalogueChange } from '../catalogue-change.ts';
import { catalogueProblem } from '../catalogue-problem.ts';
import { domainsRead, Plan, planDigest } from '../plan.ts';
import { explain } from '../rejection.ts';
import { aCatalogueChange } from '../testing/catalogue-change.ts';
import { aCatalogueOfNumbers, aGenesis, aPolicy, vaultNames } from '../testing/genesis.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { odometerOf } from './odometer.ts';
import { resolveQuery } from './resolution.ts';

const [HOME, OTHER] = ['retail.purchase', 'bank.account'];
const income: QueryAttribute = {
  name: 'income_group',
  domain: HOME,
  state: 'active',
  derivation: { kind: 'bucket', from: 'account.income', buckets: [{ name: 'low', values: ['A', 'B'] }], otherwise: 'other' },
  granularity: {},
  groupable: true,
  description: '',
};
const catalogue: Catalogue = {
  domains: [
    ...aCatalogueOfNumbers().domains,
    { name: 'bank', parent: 'global', overlapBound: 1000, description: '' },
    { name: OTHER, parent: 'bank', overlapBound: 5, description: '' },
  ],
  canonicalAttributes: [
    ...aCatalogueOfNumbers().canonicalAttributes,
    { name: 'account.income', domain: OTHER, type: 'string', state: 'active', directlyQueryable: true, description: '' },
    { name: 'account.balance', domain: OTHER, type: 'integer', state: 'active', directlyQueryable: false, description: '' },
  ],
  queryAttributes: [
    ...aCatalogueOfNumbers().queryAttributes,
    income,
    {
      ...income,
      name: 'balance',
      derivation: { kind: 'aggregate', from: 'account.balance', unit: 'number' },
      groupable: false,
      measure: { low: 0, high: 100 },
    },
  ],
};
const approve = (name = 'income_group', from: string = OTHER): CatalogueChange => ({
  kind: 'approveCrossDomain',
  name,
  from,
  why: 'proposal 7',
});
const withdraw: CatalogueChange = { kind: 'withdrawCrossDomain', name: 'income_group', why: 'proposal 9' };
const after = (...changes: CatalogueChange[]): Catalogue => {
  const result = changed(catalogue, changes);
  if (!result.ok) throw new Error(result.problem);
  return result.catalogue;
};
const asking = (query: object = { groupBy: 'income_group' }) => aTask().asking(query);
const resolve = (on: Catalogue, query?: object) => resolveQuery(termsOf(asking(query).spec()), on, aPolicy(), 3);

describe('S4: resolution', () => {
  test('refused until it is approved, with what to do about it', () => {
    const result = resolve(catalogue);
    const rejection = { code: 'CrossDomainNotApproved', attribute: 'income_group', domain: OTHER, wanted: HOME } as const;
    expect(result).toEqual({ ok: false, rejection });
    expect(explain(rejection)).toContain('propose it (approveCrossDomain)');
  });
  test('approved: the plan says which column is of which domain, and goes by the larger overlap bound (B1)', () => {
    const result = resolve(after(approve()));
    if (!result.ok) throw new Error(result.rejection.code);
    const { plan } = result.value;
    expect(plan).toMatchObject({
      domain: HOME,
      crossed: [{ domain: OTHER, column: 'account.income' }],
      group: { column: 'account.income' },
      overlapBound: 5,
    });
    expect(domainsRead(plan)).toEqual([HOME, OTHER]);
    expect(Plan.parse(plan)).toEqual(plan);
  });
  test('an approval is of that attribute alone: not of its source asked directly, not from another domain, not for totals', () => {
    const on = after(approve(), approve('balance'));
    expect(resolve(on, { where: [{ attribute: 'account.income', in: ['A'] }] })).toMatchObject({
      rejection: { code: 'CrossDomainNotApproved' },
    });
    const measured = resolve(on, { measures: [{ kind: 'sum', attribute: 'balance' }] });
    expect(measured).toMatchObject({ rejection: { code: 'NotMeasurable', attribute: 'balance' } });
  });
  test('a plan that crosses nothing has the bytes that it had', () => {
    const bytes = (on: Catalogue) => {
      const result = resolve(on, {});
      return result.ok && planDigest(result.value.plan);
    };
    expect(bytes(after(approve()))).toBe(bytes(catalogue));
  });
  test('S6: the same bytes in any order of objects', () => {
    const on = after(approve());
    const shuffled = <T>(items: readonly T[]) => fc.shuffledSubarray([...items], { minLength: items.length });
    const digest = (of: Catalogue) => {
      const result = resolve(of);
      return result.ok && planDigest(result.value.plan);
    };
    fc.assert(
      fc.property(
        shuffled(on.domains),
        shuffled(on.canonicalAttributes),
        shuffled(on.queryAttributes),
        (domains, canonicalAttributes, queryAttributes) =>
          digest({ domains, canonicalAttributes, queryAttributes }) === digest(on) && digest(on) !== false,
      ),
      { numRuns: 50 },
    );
  });
});

describe('S4: what may be approved', () => {
  const { name: _, ...unnamed } = income;
  test.each<[string, CatalogueChange[], string]>([
    ['an unknown attribute', [approve('nothing')], 'there is no query attribute nothing to approve'],
    ['twice', [approve(), approve()], 'attribute income_group is approved already'],
    ['withdrawn before it was', [withdraw], 'attribute income_group is not approved, so nothing can be withdrawn'],
    [
      'for another input',
      [approve('income_group', 'bank')],
      'attribute income_group: it derives from domain bank.account, its approval is for bank',
    ],
    [
      'where none is needed',
      [approve('age_group', HOME)],
      'attribute age_group: retail.purchase is its own domain or one above: no approval is needed',
    ],
    [
      'with the attribute itself',
      [
        {
          kind: 'addQuery',
          attribute: { ...unnamed, name: 'x', state: 'proposed', crossDomain: { from: OTHER, approved: true, why: 'x' } },
        },
      ],
      'attribute x begins unapproved: approveCrossDomain is a change of its own',
    ],
  ])('%s is refused', (_case, changes, problem) => expect(changed(catalogue, changes)).toEqual({ ok: false, problem }));
  test('withdrawn: refused again; approved anew: served again', () => {
    expect(resolve(after(approve(), withdraw)).ok).toBe(false);
    expect(resolve(after(approve(), withdraw, approve())).ok).toBe(true);
    expect(catalogueProblem(after(approve(), withdraw))).toBeUndefined();
  });
});

describe('S4, G5: in the log', () => {
  const both = [HOME, OTHER].map((name) => ({ name, usages: ['marketing' as const], classes: ['query' as const] }));
  const worldOf = (vaults: readonly string[]): World => {
    const world = World.ready(aGenesis({ catalogue }));
    for (const vault of vaults) world.block(registerCommand(world, anOffer(vault, { revision: 1, domains: both })));
    return world;
  };
  const passEpoch = (world: World): void => {
    world.advance(aPolicy().epoch.lengthMs);
    world.observe();
  };
  const approved = (vaults: readonly string[]): World => {
    const world = worldOf(vaults);
    world.block(aCatalogueChange(world, [approve()]));
    passEpoch(world);
    return world;
  };
  const submit = (world: World) => world.task(world.submit(asking()));
  const reserved = (world: World, domain: string): bigint => {
    const key = { vault: vaultNames[0]!, usage: 'marketing', domain } as const;
    return odometerOf(world.state, key, 0n, aPolicy()).reserved;
  };
  test('two masters approve; one is not enough; in force from the next epoch', () => {
    const world = worldOf(vaultNames);
    expect(world.faultOf(aCatalogueChange(world, [approve()], {}, [1]))).toBe('SignatureInvalid');
    world.block(aCatalogueChange(world, [approve()]));
    expect(submit(world).rejection?.code).toBe('CrossDomainNotApproved');
    passEpoch(world);
    expect(world.state.must('attribute', 'income_group').crossDomain).toEqual({ from: OTHER, approved: true, why: 'proposal 7' });
    expect(submit(world).state).toBe('resolving');
  });
  test('C1: only Vaults that offer both domains are asked', () => {
    expect(submit(approved(vaultNames.slice(0, 2))).parts.map(({ vault }) => vault)).toEqual(vaultNames.slice(0, 2));
    expect(submit(approved([])).rejection).toEqual({ code: 'UsageNotOffered', usage: 'marketing', domain: OTHER, offered: [] });
  });
  test('B4: the odometers of both domains are charged, and given back', () => {
    const world = approved(vaultNames);
    const task = submit(world);
    const { microRho } = task.plan!;
    expect([reserved(world, HOME), reserved(world, OTHER)]).toEqual([microRho, microRho]);
    world.block({ type: 'task.cancel', uid: task.uid });
    world.followUp();
    expect([reserved(world, HOME), reserved(world, OTHER)]).toEqual([0n, 0n]);
  });
  test('B4: the domain with less room decides', () => {
    const world = approved(vaultNames);
    const limit = aPolicy().privacy.subjectLimitMicroRho.marketing / 5n;
    const before = submit(world);
    expect(before.plan!.microRho * 3n > limit).toBe(true);
    submit(world);
    expect(submit(world).rejection).toMatchObject({ code: 'BudgetExhausted', limit });
  });
  test('S7: a task admitted before the withdrawal goes on', () => {
    const world = approved(vaultNames);
    const task = submit(world);
    world.block(aCatalogueChange(world, [withdraw]));
    passEpoch(world);
    expect(submit(world).rejection?.code).toBe('CrossDomainNotApproved');
    expect(world.task(task.uid).rejection?.code).not.toBe('CrossDomainNotApproved');
  });
});
