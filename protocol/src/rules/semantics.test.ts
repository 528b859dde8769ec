import { describe, expect, test } from 'vitest';
import { semanticVersion, type CanonicalAttribute, type QueryAttribute } from '../catalogue.ts';
import { changed, nextState, type CatalogueChange } from '../catalogue-change.ts';
import { encodeCommand, decodeCommand, type Command, type LocalAttribute } from '../commands.ts';
import { aCatalogueChange } from '../testing/catalogue-change.ts';
import { aCatalogue, aGenesis, aPolicy, vaultNames } from '../testing/genesis.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { catalogueInForce } from './semantics.ts';
import { epochEnd } from './windows.ts';

type Change = Extract<Command, { type: 'catalogue.change' }>;
const domain = 'retail.purchase';
const versionOf = (world: World): string => world.state.must('meta').semanticVersion;
const passEpoch = (world: World): void => {
  world.advance(aPolicy().epoch.lengthMs);
  world.observe();
};
const move = (name: string, to: CanonicalAttribute['state'], successor?: string): CatalogueChange => ({
  kind: 'move',
  layer: 'query',
  name,
  to,
  ...(successor !== undefined && { successor }),
});
const newAge: QueryAttribute = {
  ...aCatalogue().queryAttributes.find(({ name }) => name === 'age_group')!,
  name: 'age_now',
  state: 'proposed',
};
const store: CanonicalAttribute = {
  name: 'purchase.store',
  domain,
  type: 'string',
  state: 'proposed',
  directlyQueryable: true,
  description: 'Store.',
};
const ask = (world: World, groupBy = 'age_group') => world.task(world.submit(aTask().asking({ groupBy })));

describe('S1: the life of an attribute', () => {
  test('one step after the other, to the end', () => {
    const states = ['proposed', 'registered', 'active', 'deprecated', 'retired', 'superseded'] as const;
    expect(states.map(nextState)).toEqual([...states.slice(1), undefined]);
  });
  test.each<[string, CatalogueChange[], string]>([
    ['a step left out', [move('age_group', 'retired')], 'attribute age_group is active: deprecated comes next, not retired'],
    ['a step back', [move('age_group', 'registered')], 'attribute age_group is active: deprecated comes next, not registered'],
    ['an unknown attribute', [move('nothing', 'active')], 'there is no attribute nothing to move'],
    ['born active', [{ kind: 'addQuery', attribute: { ...newAge, state: 'active' } }], 'attribute age_now begins as proposed'],
    ['a name that is taken', [{ kind: 'addQuery', attribute: { ...newAge, name: 'age_group' } }], 'two objects are named age_group'],
    [
      'superseded by none',
      (['deprecated', 'retired', 'superseded'] as const).map((to) => move('age_group', to)),
      'attribute age_group is superseded by none',
    ],
    [
      'from a source that is not there',
      [{ kind: 'addQuery', attribute: { ...newAge, derivation: { kind: 'boolean', from: 'x', values: ['a'] } } }],
      'attribute age_now derives from x, which there is not',
    ],
    [
      'a homeless domain',
      [{ kind: 'addDomain', domain: { name: 'a', parent: 'b', overlapBound: 1, description: '' } }],
      'domain a is below b, which there is not',
    ],
  ])('%s is refused', (_, changes, problem) => expect(changed(aCatalogue(), changes)).toEqual({ ok: false, problem }));
});

describe('G5: a change of the catalogue', () => {
  test('two masters approve; in force from the next epoch; each object is a leaf; the version is the digest', () => {
    const world = World.ready();
    const before = versionOf(world);
    const command = aCatalogueChange(world, [
      { kind: 'addQuery', attribute: newAge },
      move('age_now', 'registered'),
      move('age_now', 'active'),
    ]);
    expect(decodeCommand(encodeCommand(command))).toEqual(command);
    world.block(command);
    expect(versionOf(world)).toBe(before);
    expect(ask(world, 'age_now').rejection?.code).toBe('UnknownAttribute');
    passEpoch(world);
    expect(versionOf(world)).toBe(semanticVersion(catalogueInForce(world.state)));
    expect(versionOf(world)).not.toBe(before);
    expect(world.state.must('attribute', 'age_now').state).toBe('active');
    expect(ask(world, 'age_now')).toMatchObject({ state: 'resolving', semanticVersion: versionOf(world) });
  });
  test('S6, S7: deprecated warns; retired and superseded are refused and name the successor; a task admitted earlier goes on', () => {
    const world = World.ready();
    world.block(
      aCatalogueChange(world, [
        { kind: 'addQuery', attribute: newAge },
        move('age_now', 'registered'),
        move('age_now', 'active'),
        move('age_group', 'deprecated', 'age_now'),
      ]),
    );
    passEpoch(world);
    const warned = ask(world);
    expect(warned.warnings).toEqual(['Attribute age_group is deprecated. Use age_now.']);
    world.block(aCatalogueChange(world, [move('age_group', 'retired'), move('age_group', 'superseded')]));
    const old = versionOf(world);
    world.advance(epochEnd(world.state, world) - world.time - 1);
    world.observe();
    const admitted = aTask().asking({ groupBy: 'age_group' }).signed(world.genesis);
    world.block(admitted);
    world.time += 2;
    world.block({ type: 'tick' });
    expect([versionOf(world) === old, world.task(admitted.uid).state]).toEqual([false, 'accepted']);
    world.followUp();
    expect(world.task(admitted.uid)).toMatchObject({
      state: 'resolving',
      semanticVersion: old,
      plan: { group: { column: 'household.age' } },
    });
    world.observe();
    expect(ask(world).rejection).toEqual({ code: 'AttributeRetired', attribute: 'age_group', successor: 'age_now' });
  });
  test('several in one epoch build on each other', () => {
    const world = World.ready();
    world.block(aCatalogueChange(world, [{ kind: 'addCanonical', attribute: store }]));
    const second = aCatalogueChange(world, [{ kind: 'addCanonical', attribute: { ...store, name: 'purchase.town' } }]);
    expect(second.statement.number).toBe(2);
    world.block(second);
    passEpoch(world);
    expect(world.state.must('canonical', 'purchase.store').state).toBe('proposed');
    expect(world.state.must('canonical', 'purchase.town').state).toBe('proposed');
    expect(world.state.must('semantics')).toEqual({ changes: 2, first: semanticVersion(world.genesis.catalogue) });
  });
  test.each<[string, string, (world: World) => Change]>([
    ['SignatureInvalid', 'one master', (w) => aCatalogueChange(w, [{ kind: 'addCanonical', attribute: store }], {}, [1])],
    ['SignatureInvalid', 'one master twice', (w) => aCatalogueChange(w, [{ kind: 'addCanonical', attribute: store }], {}, [1, 1])],
    [
      'SignatureInvalid',
      'altered after it was approved',
      (w) => {
        const command = aCatalogueChange(w, [{ kind: 'addCanonical', attribute: store }]);
        return {
          ...command,
          statement: { ...command.statement, changes: [{ kind: 'addCanonical', attribute: { ...store, name: 'purchase.x' } }] },
        };
      },
    ],
    [
      'Conflicts',
      'of another version',
      (w) => aCatalogueChange(w, [{ kind: 'addCanonical', attribute: store }], { base: '00'.repeat(32) }),
    ],
    ['Conflicts', 'out of turn', (w) => aCatalogueChange(w, [{ kind: 'addCanonical', attribute: store }], { number: 2 })],
    ['ChangeInvalid', 'unsound', (w) => aCatalogueChange(w, [move('nothing', 'active')])],
  ])('%s: %s', (code, _, make) => {
    const world = World.ready();
    expect(world.faultOf(make(world))).toBe(code);
  });
  test('once', () => {
    const world = World.ready();
    const command = aCatalogueChange(world, [{ kind: 'addCanonical', attribute: store }]);
    world.block(command);
    expect(world.faultOf(command)).toBe('AlreadyDecided');
  });
});

describe('S3: promotion of a local attribute', () => {
  const local: LocalAttribute = { domain, name: 'STORE_ID', type: 'string', coverage: 'most' };
  const promote: CatalogueChange = { kind: 'promote', local: 'STORE_ID', attribute: store };
  const report = (world: World, vault: string, localAttributes: readonly LocalAttribute[]): void =>
    void world.block(registerCommand(world, anOffer(vault, { revision: 1, localAttributes: [...localAttributes] })));
  test('needs enough enterprises that report it by name and type', () => {
    const world = World.ready();
    const [one, two, three] = vaultNames as [string, string, string];
    expect(world.faultOf(aCatalogueChange(world, [promote]))).toBe('NotAgreed');
    report(world, one, [local]);
    report(world, two, [{ ...local, type: 'integer' }]);
    expect(world.faultOf(aCatalogueChange(world, [promote]))).toBe('NotAgreed');
    report(world, three, [local]);
    world.block(aCatalogueChange(world, [promote]));
    passEpoch(world);
    expect(world.state.must('canonical', 'purchase.store')).toEqual(store);
  });
  test('how many: the policy says', () => {
    const world = World.ready(aGenesis({ policy: { ...aPolicy(), semantics: { promotionEnterprises: 3 } } }));
    for (const vault of vaultNames.slice(0, 2)) report(world, vault, [local]);
    expect(world.faultOf(aCatalogueChange(world, [promote]))).toBe('NotAgreed');
    report(world, vaultNames[2]!, [local]);
    expect(world.faultOf(aCatalogueChange(world, [promote]))).toBeUndefined();
  });
});
