/** What the integration tests found about the exchange's timing (rule N9), each as its exact order of events. */
import { expect, test } from 'vitest';
import type { Attestation } from '@scs/protocol';
import { genesisDigest } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { silentLogger } from '../../log/testing/silent-logger.ts';
import { openMasterFile } from '../../log/sqlite-disk.ts';
import { setDigest, signConfirmation, signStatement, type Statement } from '../formation.ts';
import { agreementStore } from './agreement-store.ts';
import { FormationExchange } from './formation-exchange.ts';
import type { Opened } from './formation-wire.ts';

const genesis = aGenesis();
const group = genesisDigest(genesis);

/** The first formation of all three masters. */
const opened = (): Opened => {
  const statement = (master: number): Statement => ({
    genesis: group,
    generation: 0n,
    formation: 1,
    master,
    key: digestOf(`counter ${master}`),
    ended: null,
    certified: null,
    blank: true,
  });
  const statements = [0, 1, 2].map((m) => signStatement(masterKey(m).seed, statement(m)));
  const set = setDigest(statements);
  return { statements, confirmations: [0, 1, 2].map((master) => signConfirmation(masterKey(master).seed, { formation: 1, master, set })) };
};
const attestation: Attestation = { kind: 'simulated', report: '', collateral: [] };

test('N9: who learns that the formation is open while its counter attests states nothing more', async () => {
  const { disk, file } = openMasterFile({ file: ':memory:', genesis: group, master: 1 });
  const store = agreementStore(file, disk);
  const attesting = Promise.withResolvers<Attestation>();
  const events: string[] = [];
  const exchange = new FormationExchange({
    genesis,
    genesisDigest: group,
    generation: 0n,
    index: 1,
    seed: masterKey(1).seed,
    store,
    standing: () => ({ key: digestOf('fresh'), admitted: false, certified: null, quiet: true, ended: null, hasRead: () => true }),
    freshKey: () => Promise.resolve(digestOf('fresh')),
    attest: () => {
      events.push('attests');
      return attesting.promise;
    },
    broadcast: () => {},
    send: () => {},
    now: () => 0,
    logger: silentLogger,
    onStated: () => events.push('stated'),
    onConfirmed: () => events.push('confirmed'),
    onOpened: () => events.push('opened'),
  });
  exchange.tick();
  await Promise.resolve();
  await Promise.resolve();
  exchange.take(0, { kind: 'opened', opened: opened() });
  attesting.resolve(attestation);
  await attesting.promise;
  await Promise.resolve();
  expect(events).toEqual(['attests', 'opened']);
  expect(store.statement()).toBeUndefined();
  expect(exchange.hasStated()).toBe(false);
  disk.close();
});
