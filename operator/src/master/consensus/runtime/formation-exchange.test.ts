/** What the integration tests found about the exchange's timing (rule N9), each as its exact order of events. */
import { expect, test } from 'vitest';
import type { Attestation } from '@scs/protocol';
import { attestData, committeeOf, counterReportData, genesisDigest } from '@scs/protocol';
import { aGenesis, chipOf, MEASUREMENT } from '@scs/protocol/testing/genesis.ts';
import { digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { silentLogger } from '../../log/testing/silent-logger.ts';
import { openMasterFile } from '../../log/sqlite-disk.ts';
import { setDigest, signConfirmation, signStatement, type Statement } from '../formation.ts';
import type { FormationWire, Opened, Standing } from '../formation-step.ts';
import { agreementStore } from './agreement-store.ts';
import { FormationExchange } from './formation-exchange.ts';

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
    quiet: true,
    blank: true,
  });
  const statements = [0, 1, 2].map((m) => signStatement(masterKey(m).seed, statement(m)));
  const set = setDigest(statements);
  return { statements, confirmations: [0, 1, 2].map((master) => signConfirmation(masterKey(master).seed, { formation: 1, master, set })) };
};
/** By the simulated chip, for a counter of that master. */
const attestedBy = (master: number, { key }: Statement): Attestation =>
  attestData(chipOf('alder'), counterReportData({ genesis: group, master, key, height: 0n, block: group }), MEASUREMENT);
const attestation: Attestation = { kind: 'simulated', report: '', collateral: [] };

const standing: Standing = {
  key: digestOf('fresh'),
  used: false,
  admitted: false,
  certified: null,
  quiet: true,
  ended: null,
  blank: true,
};

const anExchange = () => {
  const { disk, file } = openMasterFile({ file: ':memory:', genesis: group, master: 1 });
  const store = agreementStore(file, disk);
  const attesting = Promise.withResolvers<Attestation>();
  const events: string[] = [];
  const said: FormationWire[] = [];
  const exchange = new FormationExchange({
    genesis,
    genesisDigest: group,
    committee: committeeOf(genesis),
    index: 1,
    seed: masterKey(1).seed,
    store,
    counter: {
      attest: () => {
        events.push('attests');
        return attesting.promise;
      },
      renew: (key) => {
        events.push('renews');
        return Promise.resolve({ key, last: 0 });
      },
    },
    broadcast: (wire) => said.push(wire),
    send: () => {},
    now: () => 0,
    logger: silentLogger,
    onConfirmed: () => events.push('confirmed'),
    onOpened: () => events.push('opened'),
    onDiskFault: ({ code }) => events.push(code),
  });
  return { exchange, store, disk, attesting, events, said };
};
const statements = (said: readonly FormationWire[]): number => said.filter(({ kind }) => kind === 'statement').length;

test('N9: who learns that the formation is open while its counter attests states nothing more', async () => {
  const { exchange, store, disk, attesting, events, said } = anExchange();
  exchange.tick(standing);
  exchange.take(0, { kind: 'opened', opened: opened() });
  attesting.resolve(attestation);
  await attesting.promise;
  await Promise.resolve();
  expect(events).toEqual(['attests', 'opened']);
  expect(statements(said)).toBe(0);
  expect(exchange.takesPart()).toBe(true);
  expect(store.blank()).toBe(true); // it states another counter by now than the one that was opened with
  disk.close();
});

test('N9: a counter that has counted makes way for another before anything is stated', () => {
  const { exchange, disk, events } = anExchange();
  exchange.tick({ ...standing, used: true });
  expect(events).toEqual(['renews']);
  disk.close();
});

test('N9: who has stated and hears of it from all three confirms, once it is on the disk', async () => {
  const { exchange, store, disk, attesting, events } = anExchange();
  exchange.tick(standing);
  attesting.resolve(attestation);
  await attesting.promise;
  await Promise.resolve();
  expect(exchange.condition()?.code).toBe('MasterMissing');
  expect(exchange.condition()?.message).toContain('docs/troubleshooting.md#mastermissing');
  const all = opened();
  for (const from of [0, 2]) {
    const statement = all.statements[from];
    if (statement) exchange.take(from, { kind: 'statement', statement, attestation: attestedBy(from, statement.value) });
  }
  exchange.tick(standing);
  expect(events).toEqual(['attests', 'confirmed']);
  expect(store.confirmation()?.value.formation).toBe(1);
  disk.close();
});
