import { expect, test } from 'vitest';
import { DomainStatus } from '@scs/protocol';
import { aGenesis, aPolicy, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { objectsOfKey, wantedObject } from './cluster-objects.ts';
import { odometersOf } from './odometers.ts';

const genesis = aGenesis();
const domain = genesis.catalogue.domains.find(({ name }) => name === 'retail.purchase')!;

test('B4: each Vault and usage it offers, with what each actor took in the epoch', () => {
  const world = World.ready(genesis);
  world.runTo(world.submit(aTask()), 'verifying');
  world.submit(aTask());
  const rows = odometersOf(world.state, domain, aPolicy());
  expect(rows.filter(({ usage }) => usage === 'marketing')).toEqual(
    vaultNames.map((vault) => ({
      vault,
      usage: 'marketing',
      limit: '500000',
      reserved: '125000',
      spent: '125000',
      actorShare: '500000',
      actors: [{ actor: world.address('roastery'), taken: '250000' }],
    })),
  );
  expect(rows.find(({ usage }) => usage !== 'marketing')).toMatchObject({ reserved: '0', spent: '0', actors: [] });
  const wanted = wantedObject({ genesis, state: world.state, leaf: () => undefined }, 'Domain', 'retail.purchase');
  expect(DomainStatus.parse(wanted?.status).odometers).toEqual(rows);
});

test('an odometer or a replenishment that changes shows in its domain', () => {
  const shown = ['Domain', 'retail.purchase'];
  const sources = { genesis, state: World.ready(genesis).state };
  expect(objectsOfKey(`odometer/${vaultNames[0]}/marketing/retail.purchase`, sources)).toEqual([shown]);
  expect(objectsOfKey('replenishment/marketing', sources)).toContainEqual(shown);
});
