import { describe, expect, test } from 'vitest';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { shownSupply, supplyChecks, type SupplyReading } from './supply-view.ts';

const genesis = aGenesis();
const allotted = genesis.actors.reduce((sum, { allocation }) => sum + allocation, genesis.chain.treasuryReserve);
const held = { escrow: 5n, staking: 4n, rewards: 3n, reserve: 2n, dividends: 6n, bootstrap: 1n };
const sound: SupplyReading = {
  point: { version: 7n, seconds: 1_767_225_600n },
  total: allotted + 10n,
  genesis: allotted,
  minted: 10n,
  due: 0n,
  held,
  stored: { ...held, escrow: 6n },
  debts: 9n,
  owedToRewards: 8n,
  owedToDividends: 0n,
  claimable: 11n,
  promised: 6n,
};

describe('K9', () => {
  test('sound: every line holds, and the parts make up the total', () => {
    expect(supplyChecks(sound, genesis).every(({ holds }) => holds)).toBe(true);
    expect(shownSupply(sound, genesis)).toMatchObject({
      time: '2026-01-01T00:00:00.000Z',
      parts: { escrow: '0.00000005' },
      debts: '0.00000009',
    });
  });
  test.each<[string, Partial<SupplyReading>]>([
    ['genesis', { genesis: allotted - 1n, minted: 11n }],
    ['minted', { minted: 9n }],
    ['parts', { held: { ...held, staking: allotted }, stored: { ...held, staking: allotted } }],
    ['stores', { stored: { ...held, bootstrap: 0n } }],
    ['rewards', { claimable: 12n }],
    ['dividends', { promised: 7n }],
  ])('%s alone fails', (name, change) => {
    const failed = supplyChecks({ ...sound, ...change }, genesis).filter(({ holds }) => !holds);
    expect(failed.map((check) => check.name)).toEqual([name]);
  });
});
