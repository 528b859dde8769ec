/** S1, S6, C5: a catalogue that governance changed reaches the Vault with the first task admitted under it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { semanticVersion, type CatalogueChange } from '@scs/protocol';
import { aCatalogueChange } from '@scs/protocol/testing/catalogue-change.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Catalogues } from './catalogues.ts';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import type { ReleaseContext } from './release.ts';
import { columnsOf } from './store/schema.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, OURS, type WorldMasters } from './testing/a-group.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from './testing/a-store.ts';

let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext & { readonly masters: WorldMasters };
let remove: () => Promise<void>;
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { vault: OURS });
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  ({ masters, context } = aGroup(store));
});
afterEach(async () => {
  await store.close();
  await remove();
});

const active = (layer: 'canonical' | 'query', name: string): CatalogueChange[] =>
  (['registered', 'active'] as const).map((to) => ({ kind: 'move', layer, name, to }));
/** A canonical attribute that no Vault has a column for yet, and a query attribute on it. */
const changes: CatalogueChange[] = [
  {
    kind: 'addCanonical',
    attribute: { name: 'purchase.store', domain: DOMAIN, type: 'string', state: 'proposed', directlyQueryable: false, description: '' },
  },
  ...active('canonical', 'purchase.store'),
  {
    kind: 'addQuery',
    attribute: {
      name: 'is_flagship',
      domain: DOMAIN,
      state: 'proposed',
      derivation: { kind: 'boolean', from: 'purchase.store', values: ['S1'] },
      granularity: {},
      groupable: true,
      description: '',
    },
  },
  ...active('query', 'is_flagship'),
];
const changeCatalogue = (): void => {
  const { world } = masters;
  world.block(aCatalogueChange(world, changes));
  world.advance(world.genesis.policy.epoch.lengthMs);
  world.observe();
};
const answerOf = async (catalogues?: Catalogues): Promise<unknown> => {
  const { world } = masters;
  const uid = world.submit(aTask().asking({ groupBy: 'is_flagship' }));
  await new Follower({ ...context, ...(catalogues && { catalogues }), log: silent }).settle(world.task(uid));
  const command = masters.submitted.at(-1);
  return command?.type === 'vault.answer' ? command.statement.answer : command;
};

test('it resolves by the catalogue of the admission, and its table has the new column', async () => {
  changeCatalogue();
  expect(columnsOf(store.catalogue, DOMAIN).map(({ name }) => name)).not.toContain('purchase.store');
  const catalogues = new Catalogues(context.genesis, masters, (catalogue) => store.learn(catalogue));
  expect(await answerOf(catalogues)).toMatchObject({ kind: 'reserved' });
  expect(columnsOf(store.catalogue, DOMAIN).map(({ name }) => name)).toContain('purchase.store');
});
test('a catalogue whose digest is another is none: the task is refused', async () => {
  changeCatalogue();
  const old = semanticVersion(context.genesis.catalogue);
  const liars = { getLeaf: () => Promise.resolve(masters.leaf(`catalogue/${old}`)) };
  const catalogues = new Catalogues(context.genesis, liars, (catalogue) => store.learn(catalogue));
  expect(await answerOf(catalogues)).toMatchObject({ kind: 'refused', code: 'CatalogueUnknown' });
});

test('the catalogue in force is learnt without any task, for imports', async () => {
  changeCatalogue();
  const catalogues = new Catalogues(context.genesis, masters, (catalogue) => store.learn(catalogue));
  await catalogues.learnInForce();
  expect(columnsOf(store.catalogue, DOMAIN).map(({ name }) => name)).toContain('purchase.store');
  expect(catalogues.of(masters.world.state.must('meta').semanticVersion)).toBeDefined();
});
