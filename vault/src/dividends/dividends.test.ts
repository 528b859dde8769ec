/** A Vault's dividends (K6): from charged subjects to proofs, through crashes, telling nobody but the producer. */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeDividendRoot, dividendKey, dividendLeaf, hex, rootFromPath, statementFits, type Command } from '@scs/protocol';
import { parseDividendProofs, dividendProofsJson } from '@scs/protocol/dividend-proofs.ts';
import { potName } from '@scs/protocol/rules/dividend-pots.ts';
import { aGenesis, aPolicy } from '@scs/protocol/testing/genesis.ts';
import { anOffer, registerCommand } from '@scs/protocol/testing/statements.ts';
import { testKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { importConsents, importRecords } from '../import/import.ts';
import { silent } from '../logger.ts';
import { quoted } from '../store/database.ts';
import { journalFault } from '../store/journal.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { aFolder, copiedIn, DOMAIN, openStore, parquetOf } from '../testing/a-store.ts';
import { manifestOf, OURS, WorldMasters } from '../testing/a-group.ts';
import { Issuer, openRights, rightsManifest, send, signed } from '../testing/a-rights.ts';
import { Dividends } from './dividends.ts';

const genesis = aGenesis();
const [ANNA, BERT] = [`0x${'a1'.repeat(32)}`, `0x${'b2'.repeat(32)}`];
const LENGTH = aPolicy().epoch.lengthMs;
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** With a copy of its journal. */
const opened = (folder: string, data = folder): Promise<VaultStore> =>
  openStore(data, {
    vault: OURS,
    ...copiedIn(folder, OURS),
  });
/** `subject -> producer`: one purchase and a consent to marketing each. */
const storeWith = async (people: Readonly<Record<string, string>>): Promise<{ readonly store: VaultStore; readonly folder: string }> => {
  const { folder, remove } = await aFolder();
  cleanups.push(remove);
  const store = await opened(folder);
  cleanups.push(() => store.close());
  const rows = Object.entries(people).map(([subject, producer]) => `(${quoted(subject)}, ${quoted(producer)})`);
  const records = `SELECT subject, DATE '2017-11-01' AS "purchase.day", 'COFFEE' AS "purchase.commodity", '25-34' AS "household.age", producer
    FROM (VALUES ${rows.join(', ')}) t(subject, producer)`;
  await importRecords(store, DOMAIN, { path: await parquetOf(store, records), format: 'parquet' }, () => undefined);
  const consents = `SELECT subject, 'marketing' AS usage, 'granted' AS state, TIMESTAMPTZ '2024-01-01T00:00:00Z' AS time
    FROM (VALUES ${rows.join(', ')}) t(subject, producer)`;
  await importConsents(store, { path: await parquetOf(store, consents), format: 'parquet' }, Date.now(), () => undefined);
  return { store, folder };
};
/** One settled task that charged everybody in the store; the epoch of its batch is closed, unless it is to stay `open`. */
const scene = async (people: Readonly<Record<string, string>>, open = false) => {
  const { store, folder } = await storeWith(people);
  const world = World.ready(genesis);
  const uid = world.submit(aTask().named('drawn').signed(genesis));
  const plan = world.task(uid).plan!;
  const reserved = await store.reserve({
    task: uid,
    submitter: world.task(uid).spec.submitter,
    nonce: uid,
    domain: DOMAIN,
    usage: 'marketing',
    ask: plan.microRho,
    limit: 10n ** 9n,
  });
  expect(reserved.ok).toBe(true);
  await store.commit(uid, plan.microRho, 5n);
  world.runTo(uid, 'completed');
  const { publicKey, noiseKeyCommitment } = anOffer(OURS);
  expect(publicKey).not.toBe(store.keys.publicKey);
  world.block(
    registerCommand(
      world,
      anOffer(OURS, {
        publicKey: store.keys.publicKey,
        noiseKeyCommitment,
        revision: 1,
        journal: { sequence: 99n, head: 'ab'.repeat(32) },
      }),
    ),
  );
  if (!open) world.advance(LENGTH);
  const masters = new WorldMasters(world);
  const options = { store, masters, genesis, genesisDigest: world.genesisDigest, manifest: manifestOf(), log: silent };
  const dividends = new Dividends(options);
  const again = (other: VaultStore = store): Dividends => new Dividends({ ...options, store: other });
  return { store, folder, world, masters, dividends, uid, again };
};
const isPublished = (world: World): boolean => world.state.map.get(dividendKey(1n)) !== undefined;

describe('K6: over HTTPS', () => {
  test('a producer gets their own proofs by the key of their account, and nobody else anything', async () => {
    const producer = testKey('a producer');
    const { folder, remove } = await aFolder();
    cleanups.push(remove);
    const { store, dividends } = await scene({ s1: producer.address, s2: BERT });
    await dividends.turn();
    const issuer = await Issuer.make();
    let now = Date.UTC(2026, 5, 1);
    const server = await openRights(folder, store, rightsManifest(issuer.jwks), { dividends, now: () => now });
    now += 60_000; // nonces from before its start are taken for used
    cleanups.push(() => server.close());
    let nonces = 0;
    const asked = (path: string, seed: string) => {
      const signing = { seed, vaultKey: store.keys.publicKey, nonce: `nonce-of-a-request-${++nonces}`, now };
      return send(server.port, { path, headers: signed({ path }, signing) });
    };
    const own = await asked('/v1/dividends', producer.seed);
    const { proofs, receipts } = own.json as { proofs: object; receipts: object[] };
    expect([own.status, receipts.length]).toEqual([200, 1]);
    expect(parseDividendProofs(proofs).claims[0]!.amount).toBe(26_250_000n / 2n ** 14n);
    expect((await asked('/v1/dividends', testKey('somebody').seed)).status).toBe(401);
    expect((await asked('/v1/held', producer.seed)).status).toBe(403);
    expect((await send(server.port, { path: '/v1/dividends' })).status).toBe(401);
  });
});

describe('K6: a Vault publishes its dividends', () => {
  test('once the epoch is closed: every charged subject earns the same; proofs fit the certified root; the Vault signs receipts', async () => {
    const { world, dividends, store } = await scene({ s1: ANNA, s2: ANNA, s3: BERT });
    await dividends.turn();
    const root = decodeDividendRoot(world.state.map.get(dividendKey(1n))!);
    expect(root).toMatchObject({ total: 26_250_000n, count: 2n ** 21n });
    const [anna, bert] = [await dividends.earnedBy(ANNA), await dividends.earnedBy(BERT)];
    const rate = 26_250_000n / 2n ** 14n; // size band 1
    expect([anna.claims[0]!.amount / 2n, bert.claims[0]!.amount]).toEqual([rate, rate]);
    for (const { account, claims, receipts } of [anna, bert]) {
      const { index, amount, path, number } = claims[0]!;
      expect(hex(rootFromPath(index, 2 ** 21, dividendLeaf({ account, amount }), path)!)).toBe(root.root);
      const receipt = { vault: OURS, epoch: 0, number, account, amount };
      expect(statementFits(store.keys.publicKey, 'vault.dividend-receipt', world.genesisDigest, receipt, receipts[0]!.signature)).toBe(
        true,
      );
      expect(parseDividendProofs(JSON.parse(JSON.stringify(dividendProofsJson({ account, claims })))).claims[0]!.amount).toBe(amount);
    }
    expect((await dividends.earnedBy(`0x${'cc'.repeat(32)}`)).claims).toEqual([]);
  });

  test('not while the epoch is open, and not while a task of it is missing here', async () => {
    const { world, dividends } = await scene({ s1: ANNA }, true);
    await dividends.turn();
    expect(isPublished(world)).toBe(false);
    world.advance(LENGTH);
    const pot = world.state.must('pot', potName(0, OURS));
    world.state = world.state.put('pot', potName(0, OURS), { ...pot, amount: pot.amount + 1n });
    await dividends.turn();
    expect(isPublished(world)).toBe(false);
    world.state = world.state.put('pot', potName(0, OURS), pot);
    await dividends.turn();
    expect(isPublished(world)).toBe(true);
  });

  test('after a lost reply, and in a new process: the same leaves, once', async () => {
    const { world, masters, dividends, again, store } = await scene({ s1: ANNA, s2: BERT });
    masters.after = (command: Command) => {
      if (command.type === 'vault.dividends') throw new Error('the reply was lost');
    };
    await expect(dividends.turn()).rejects.toThrow('lost');
    masters.after = () => undefined;
    // what is held changes in between; what was promised does not
    await store.erase('s2');
    const restarted = again();
    await restarted.turn();
    await restarted.turn();
    expect(masters.submitted.filter(({ type }) => type === 'vault.dividends')).toHaveLength(1);
    expect((await restarted.earnedBy(BERT)).claims).toHaveLength(1);
    expect(world.state.map.get(dividendKey(2n))).toBeUndefined();
  });

  test('B8: a Vault from an old backup has what was promised since, though who it was promised to is gone', async () => {
    const { store, folder, masters, dividends, again } = await scene({ s1: ANNA, s2: BERT });
    await store.database.copyTo(join(folder, 'data', 'store', 'old.db'), 'ab'.repeat(32));
    await dividends.turn();
    const promised = await dividends.earnedBy(BERT);
    await store.erase('s2');
    await mkdir(join(folder, 'restored', 'data'), { recursive: true });
    await rename(join(folder, 'data', 'store', 'old.db'), join(folder, 'restored', 'data', 'vault.db'));
    const restored = await opened(folder, join(folder, 'restored'));
    cleanups.push(() => restored.close());
    const after = again(restored);
    await after.turn();
    expect(await after.earnedBy(BERT)).toEqual(promised);
    expect(masters.submitted.filter(({ type }) => type === 'vault.dividends')).toHaveLength(1);
    expect(await restored.database.read(journalFault)).toBeUndefined();
  });

  test('an erased subject earns nothing more, and the others as much as before', async () => {
    const { store, dividends } = await scene({ s1: ANNA, s2: BERT });
    await store.erase('s2');
    await dividends.turn();
    expect((await dividends.earnedBy(BERT)).claims).toEqual([]);
    expect((await dividends.earnedBy(ANNA)).claims[0]!.amount).toBe(26_250_000n / 2n ** 14n);
  });
});

test('K1, K6: two Vaults whose contents differ in one subject show the same figures', async () => {
  const figuresOf = async (people: Readonly<Record<string, string>>) => {
    const { world, dividends, masters } = await scene(people);
    await dividends.turn();
    const { root, ...figures } = decodeDividendRoot(world.state.map.get(dividendKey(1n))!);
    const { root: _, ...pot } = world.state.must('pot', potName(0, OURS));
    const { statement } = masters.submitted.find((c) => c.type === 'vault.dividends')!;
    const { path, index, ...claim } = (await dividends.earnedBy(ANNA)).claims[0]!;
    return { root, public: { figures, pot, told: Object.keys(statement), length: path.length, even: index % 2, claim } };
  };
  const [one, two] = [await figuresOf({ s1: ANNA }), await figuresOf({ s1: ANNA, s2: BERT })];
  expect(one.public).toEqual(two.public);
  expect(one.root).not.toBe(two.root);
});
