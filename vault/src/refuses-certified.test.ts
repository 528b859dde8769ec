/** C5, C1: a Vault refuses what the masters certified, at every call, when its own rules say so. Here the masters certify anything. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { attest, encodeCanonical, hex, identityOf, publicKeyOf, type TaskRecord, type VaultPart, type VaultSpec } from '@scs/protocol';
import { chipOf } from '@scs/protocol/testing/genesis.ts';
import { actorKey, digestOf } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Follower } from './follow.ts';
import { silent } from './logger.ts';
import { openSlice } from './open-slice.ts';
import { release, type ReleaseAsked, type ReleaseContext } from './release.ts';
import type { VaultStore } from './store/vault-store.ts';
import { aGroup, manifestOf, OTHERS, OURS, type WorldMasters } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

type Lie = (record: TaskRecord) => TaskRecord;
const OTHER_MEASUREMENT = 'ee'.repeat(48);
let store: VaultStore;
let masters: WorldMasters;
let context: ReleaseContext;
let remove: () => Promise<void>;
/** What every master says of the task, with two signatures under it. */
let lie: Lie;

beforeEach(async () => {
  lie = (record) => record;
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { vault: OURS });
  await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));
  ({ masters, context } = aGroup(store));
  const { world } = masters;
  const lying = {
    submit: masters.submit.bind(masters),
    getLeaf: (key: string) => {
      const leaf = masters.leaf(key);
      const uid = key.startsWith('task/') ? key.slice('task/'.length) : undefined;
      return Promise.resolve(leaf && uid !== undefined ? { ...leaf, value: hex(encodeCanonical(lie(world.task(uid)))) } : leaf);
    },
  };
  context = { ...context, masters: lying };
});
afterEach(async () => {
  await store.close();
  await remove();
});

const changed = (record: TaskRecord, spec: object): TaskRecord => ({ ...record, spec: { ...record.spec, ...spec } });
const planned = (record: TaskRecord, plan: object): TaskRecord => ({ ...record, plan: { ...record.plan!, ...plan } });
const ourPart = (record: TaskRecord, change: (part: VaultPart) => VaultPart): TaskRecord => ({
  ...record,
  parts: record.parts.map((part) => (part.vault === OURS ? change(part) : part)),
});
const enclaved = (record: TaskRecord, enclave: object): TaskRecord =>
  ourPart(record, (part) => ({ ...part, enclave: { ...part.enclave!, ...enclave } }));
const attested = (record: TaskRecord, measurement: string): TaskRecord => {
  const { enclave } = record.parts.find(({ vault }) => vault === OURS)!;
  return enclaved(record, { attestation: attest(chipOf('alder'), identityOf(enclave!, context.genesisDigest), measurement) });
};
const charged = async (): Promise<unknown> =>
  store.database.read(
    async (sql) => (await sql.rows('SELECT coalesce(sum(reserved + spent), 0)::BIGINT AS total FROM ledger'))[0]!['total'],
  );

const answered = async (forged: Lie, manifest: VaultSpec): Promise<unknown> => {
  const { world } = masters;
  const uid = world.submit(aTask());
  const said: unknown[] = [];
  const submit: ReleaseContext['masters']['submit'] = (command) => {
    if (command.type === 'vault.answer') said.push(command.statement.answer);
    return Promise.resolve({ ok: true, height: 1n });
  };
  const follower = new Follower({
    ...context,
    manifest,
    masters: { getLeaf: context.masters.getLeaf, submit, watchTasks: never },
    log: silent,
  });
  await follower.settle(forged(world.task(uid)));
  return said;
};
const never = (): never => {
  throw new Error('not watched');
};

const forgedTasks: readonly [string, string, Lie][] = [
  ['a class it does not serve', 'ClassNotOffered', (r) => changed(r, { class: 'compute' })],
  ['an actor it does not permit', 'ActorNotPermitted', (r) => changed(r, { submitter: actorKey('stranger').address })],
  ['no signature on a paid task', 'AuthorizationMissing', (r) => changed(r, { authorization: undefined })],
  [
    'a signature of another',
    'SignatureInvalid',
    (r) => changed(r, { authorization: { ...r.spec.authorization!, publicKey: publicKeyOf(actorKey('birch').seed) } }),
  ],
  ['terms nobody signed', 'SignatureInvalid', (r) => changed(r, { privacy: { ...r.spec.privacy, minimumResultCardinality: 1 } })],
  ['another name of the task', 'SignatureInvalid', (r) => ({ ...r, name: 'another' })],
  ['a policy it does not know', 'PolicyUnknown', (r) => ({ ...r, policyVersion: 99 })],
  ['no plan', 'PlanMissing', ({ plan: _plan, ...r }) => r],
  ['a plan of another domain', 'UsageNotOffered', (r) => planned(r, { domain: 'health.visit' })],
  [
    'a plan that crosses into a domain it does not offer (S4)',
    'UsageNotOffered',
    (r) => planned(r, { crossed: [{ domain: 'bank.account', column: 'account.income' }] }),
  ],
  [
    'a plan that crosses where nothing is approved (S4)',
    'PlanMismatch',
    (r) => planned(r, { crossed: [{ domain: 'retail.purchase', column: 'household.age' }] }),
  ],
  ['a plan of another usage', 'UsageNotOffered', (r) => planned(r, { usage: 'training' })],
  ['a plan of an offered usage nobody asked for', 'PlanMismatch', (r) => planned(r, { usage: 'analytics' })],
  ['a plan that charges less', 'PlanMismatch', (r) => planned(r, { microRho: 1n })],
  ['a plan with less noise', 'PlanMismatch', (r) => planned(r, { epsilon: 9_000_000n })],
  ['a plan without a minimum', 'PlanMismatch', (r) => planned(r, { minimumResultCardinality: 1 })],
  ['a plan with more cells a subject', 'PlanMismatch', (r) => planned(r, { cellsPerSubject: 3 })],
  ['a plan without predicates', 'PlanMismatch', (r) => planned(r, { where: [] })],
  [
    'a plan with one cell alone',
    'PlanMismatch',
    (r) => planned(r, { group: { ...r.plan!.group, cells: r.plan!.group.cells.slice(0, 1) } }),
  ],
  ['a plan that ignores the overlap of Vaults', 'PlanMismatch', (r) => planned(r, { overlapBound: 1 })],
];
test.each(forgedTasks)('C5: certified, and still not answered: %s (%s)', async (_, code, forged) => {
  expect(await answered(forged, manifestOf())).toMatchObject([{ kind: 'refused', code }]);
  expect(await charged()).toBe(0n);
});

const narrowed: readonly [string, string, object][] = [
  ['the actor', 'ActorNotPermitted', { actors: [] }],
  ['the usage', 'UsageNotOffered', { domains: [{ name: 'retail.purchase', usages: ['analytics'], classes: ['query'] }] }],
  ['the class', 'ClassNotOffered', { domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['compute'] }] }],
  ['the domain', 'UsageNotOffered', { domains: [{ name: 'retail.receipt', usages: ['marketing'], classes: ['query'] }] }],
];
test.each([...narrowed, ['the limit', 'BudgetExhausted', { limits: [{ usage: 'marketing', microRho: '124999' }] }] as const])(
  'C5, C1: %s taken from the manifest before the answer: %s',
  async (_, code, more) => {
    expect(await answered((record) => record, manifestOf(more))).toMatchObject([{ kind: 'refused', code }]);
    expect(await charged()).toBe(0n);
  },
);

/** Reserved, dispatched, its enclave certified. */
const opening = async (): Promise<{ readonly uid: string; readonly enclave: SliceEnclave }> => {
  const { world } = masters;
  const uid = world.submit(aTask());
  await new Follower({ ...context, masters, log: silent }).settle(world.task(uid));
  world.answer(uid, OTHERS);
  const enclave = await SliceEnclave.start(world.genesisDigest);
  world.block(enclave.ready(uid));
  return { uid, enclave };
};
const refusedOpening = async (uid: string, sealKey: string, manifest = manifestOf()): Promise<string | undefined> => {
  const opened = await openSlice(uid, sealKey, { ...context, manifest });
  return opened.ok ? undefined : opened.refusal.code;
};

const forgedSlices: readonly [string, string, Lie][] = [
  ['a task that is over', 'TooLate', (r) => ({ ...r, state: 'verifying' })],
  ['a part that was refused', 'TooLate', (r) => ourPart(r, (part) => ({ ...part, state: 'refused' }))],
  ['an aggregator in place of a slice', 'AttestationInvalid', (r) => enclaved(r, { role: 'aggregator' })],
  ['an enclave of another task', 'AttestationInvalid', (r) => enclaved(r, { task: 'another' })],
  ['an enclave of another Vault', 'AttestationInvalid', (r) => enclaved(r, { subject: OTHERS[0] })],
  ['keys that were not attested', 'AttestationInvalid', (r) => enclaved(r, { signKey: digestOf('other') })],
  ['a program that no policy allows', 'AttestationInvalid', (r) => attested(r, OTHER_MEASUREMENT)],
  ['a plan changed after the answer', 'EnvelopeMismatch', (r) => planned(r, { microRho: 1n })],
  ['terms changed after the answer', 'SignatureInvalid', (r) => changed(r, { maxFee: '11' })],
  ['another envelope', 'EnvelopeMismatch', (r) => ({ ...r, envelope: digestOf('another') })],
];
test.each(forgedSlices)('C5, A2: certified, and still not opened: %s (%s)', async (_, code, forged) => {
  const { uid, enclave } = await opening();
  expect(await refusedOpening(uid, enclave.sealKey)).toBeUndefined();
  lie = forged;
  expect(await refusedOpening(uid, enclave.sealKey)).toBe(code);
});

test.each([...narrowed, ['the measurement', 'AttestationInvalid', { measurements: [OTHER_MEASUREMENT] }] as const])(
  'C5: %s taken from the manifest after the answer: nothing is opened, nothing leaves (%s)',
  async (_, code, more) => {
    const { uid, enclave } = await opening();
    const opened = await openSlice(uid, enclave.sealKey, context);
    if (!opened.ok) throw new Error(opened.refusal.code);
    const { input } = await enclave.receive(opened.parts, masters.world.task(uid).envelope!);
    if (input.kind !== 'snapshot') throw new Error('stored');
    const asked: ReleaseAsked = await enclave.compute(uid, input, [1n, 2n, 3n]);
    expect(await refusedOpening(uid, enclave.sealKey, manifestOf(more))).toBe(code);
    expect(await release(asked, { ...context, manifest: manifestOf(more) })).toMatchObject({ ok: false, refusal: { code } });
    expect(await store.output(uid)).toBeUndefined();
    expect((await release(asked, context)).ok).toBe(true);
    // B3, B6: what was released is sent again to its enclave, whatever the manifest says now.
    if (code !== 'AttestationInvalid') expect(await refusedOpening(uid, enclave.sealKey, manifestOf(more))).toBeUndefined();
  },
);
