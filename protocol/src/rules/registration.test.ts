import { describe, expect, test } from 'vitest';
import type { VaultOffer } from '../commands.ts';
import { signStatement } from '../evidence.ts';
import { aCatalogue, aGenesis, vaultNames } from '../testing/genesis.ts';
import { actorKey, digestOf } from '../testing/keys.ts';
import { anOffer, registerCommand } from '../testing/statements.ts';
import { World } from '../testing/world.ts';
import { joinedIndex, offeringIndex } from './vault-selection.ts';

const [alder] = vaultNames as [string];
const register = (world: World, changes: Partial<VaultOffer> = {}) => registerCommand(world, anOffer(alder, changes));
const domain = anOffer(alder).domains[0]!;

describe('C5, N3: what may be registered', () => {
  test('an offer signed by its enterprise becomes the record', () => {
    const world = new World();
    world.block(register(world));
    expect(world.state.must('vault', alder)).toEqual({ ...anOffer(alder), registeredAt: 1n });
    expect(world.state.must('index', offeringIndex('retail.purchase'))).toEqual([alder]);
  });

  test.each`
    rule    | code                   | changes
    ${'N3'} | ${'ActorUnknown'}      | ${{ enterprise: actorKey('nobody').address }}
    ${'N3'} | ${'ActorUnknown'}      | ${{ enterprise: actorKey('roastery').address }}
    ${'C5'} | ${'SignatureInvalid'}  | ${{ vault: 'birch/shoppers', enterprise: actorKey('birch').address, uid: 'ab' }}
    ${'C5'} | ${'NamespaceMismatch'} | ${{ vault: 'birch/shoppers' }}
    ${'B1'} | ${'DomainUnknown'}     | ${{ domains: [{ ...domain, name: 'retail.elsewhere' }] }}
    ${'C5'} | ${'OfferInvalid'}      | ${{ domains: [domain, domain] }}
    ${'K1'} | ${'OfferInvalid'}      | ${{ sizeBand: 4 }}
  `('$rule: $code', ({ code, changes }: { code: string; changes: Partial<VaultOffer> }) => {
    const world = new World();
    const offer = anOffer(alder, changes);
    const signature = signStatement(actorKey('alder').seed, 'vault.register', world.genesisDigest, offer);
    expect(world.faultOf({ type: 'vault.register', offer, signature })).toBe(code);
  });

  test('a suspended enterprise registers nothing (N3)', () => {
    const genesis = aGenesis();
    const world = new World(aGenesis({ actors: genesis.actors.map((a) => ({ ...a, state: 'suspended' as const })) }));
    expect(world.faultOf(register(world))).toBe('EnterpriseNotActive');
  });
});

describe('registering again', () => {
  const registered = (): World => {
    const world = new World();
    world.block(register(world, { revision: 3, journal: { sequence: 5n, head: digestOf('five') } }));
    return world;
  };
  const five = { sequence: 5n, head: digestOf('five') };
  test.each`
    rule    | code                  | changes
    ${'B8'} | ${'AlreadyDecided'}   | ${{ revision: 3, journal: five }}
    ${'B8'} | ${'AlreadyDecided'}   | ${{ revision: 3, journal: { sequence: 9n, head: digestOf('nine') } }}
    ${'C5'} | ${'Conflicts'}        | ${{ revision: 3, journal: five, actors: [] }}
    ${'C5'} | ${'RevisionNotNewer'} | ${{ revision: 2, journal: five, actors: [] }}
    ${'B6'} | ${'OfferInvalid'}     | ${{ revision: 4, journal: five, noiseKeyCommitment: digestOf('another') }}
    ${'B8'} | ${'JournalBehind'}    | ${{ revision: 4, journal: { sequence: 4n, head: digestOf('four') } }}
    ${'B8'} | ${'JournalBehind'}    | ${{ revision: 4, journal: { sequence: 5n, head: digestOf('fork') } }}
    ${'C5'} | ${undefined}          | ${{ revision: 4, journal: five, actors: [] }}
  `('$rule: $code', ({ code, changes }: { code: string | undefined; changes: Partial<VaultOffer> }) => {
    const world = registered();
    expect(world.faultOf(register(world, changes))).toBe(code);
  });
});

describe('B1: the overlap bound', () => {
  const one = aCatalogue();
  const narrow = aGenesis({
    catalogue: { ...one, domains: one.domains.map((d) => (d.name === 'retail.purchase' ? { ...d, overlapBound: 1 } : d)) },
  });
  test('no Vault beyond it joins; one that left keeps its place', () => {
    const world = new World(narrow);
    world.block(register(world));
    const other = registerCommand(world, anOffer('birch/shoppers'));
    expect(world.faultOf(other)).toBe('DomainFull');
    world.block(register(world, { revision: 1, domains: [{ ...domain, name: 'retail' }] }));
    expect(world.state.must('index', offeringIndex('retail.purchase'))).toEqual([]);
    expect(world.state.must('index', joinedIndex('retail.purchase'))).toEqual([alder]);
    expect(world.faultOf(other)).toBe('DomainFull');
    expect(world.faultOf(register(world, { revision: 2 }))).toBeUndefined();
  });
});
