/** S3, C5: tasks on a Vault's own attribute, judged by its own manifest. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OwnAttribute, type VaultSpec } from '@scs/protocol';
import { anOffer, registerCommand } from '@scs/protocol/testing/statements.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import type { ReleaseContext } from './release.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, manifestOf, OURS, type WorldMasters } from './testing/a-group.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

const attribute = (more: object = {}) =>
  OwnAttribute.parse({
    name: 'is_big',
    domain: 'retail.purchase',
    local: 'STORE_ID',
    type: 'string',
    kind: 'boolean',
    values: ['1'],
    groupable: true,
    ...more,
  });
let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext & { readonly masters: WorldMasters };
let remove: () => Promise<void>;
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { vault: OURS, attributes: [attribute()] });
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  ({ masters, context } = aGroup(store));
  const { world } = masters;
  const { publicKey, noiseKeyCommitment } = store.keys;
  world.block(registerCommand(world, anOffer(OURS, { publicKey, noiseKeyCommitment, revision: 1, attributes: [attribute()] })));
  world.advance(world.genesis.policy.epoch.lengthMs);
  world.observe();
});
afterEach(async () => {
  await store.close();
  await remove();
});
const answered = async (manifest: VaultSpec): Promise<unknown> => {
  const { world } = masters;
  const uid = world.submit(
    aTask()
      .asking({ groupBy: `${OURS}/is_big` })
      .quorum(1),
  );
  await new Follower({ ...context, manifest, log: silent }).settle(world.task(uid));
  return world.task(uid).parts;
};

test('its own resolution, by its manifest alone, is what the masters certified', async () => {
  expect(await answered(manifestOf({ attributes: [attribute()] }))).toMatchObject([{ vault: OURS, state: 'reserved' }]);
});
test('S7: retired in the manifest, it is for the masters to say from which epoch on', async () => {
  expect(await answered(manifestOf({ attributes: [attribute({ state: 'retired' })] }))).toMatchObject([{ state: 'reserved' }]);
});
test('C5: taken from the manifest, or with another meaning there: refused at once', async () => {
  expect(await answered(manifestOf())).toMatchObject([{ state: 'refused', refusal: { code: 'AttributeNotOffered' } }]);
  const another = manifestOf({ attributes: [attribute({ values: ['2'] })] });
  expect(await answered(another)).toMatchObject([{ state: 'refused', refusal: { code: 'PlanMismatch' } }]);
});
