/** B3, B5, B6 under kill -9: the process dies at every step, one after the other, and a new one goes on; compared with the model. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outputCommitment, type SliceOutput, type SnapshotInput } from '@scs/protocol';
import { commitReservation, dropSubjects, emptyLedger, releaseReservation, reserve, type Account } from '@scs/protocol/rules/ledger.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { aGroup, OTHERS, OURS, type WorldMasters } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';
import { Died, VaultProcess } from './testing/crash-parent.ts';
import type { Ask } from './testing/crash-child.ts';

const ASK = 125_000n;
const PEOPLE = ['ann', 'bob', 'cem'];
let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ folder, remove } = await aFolder());
  const store = await openStore(join(folder, 'template'), { vault: OURS });
  await fill(store, PEOPLE.map(bought), PEOPLE.map(granted));
  await store.close();
});
afterAll(() => remove());

/** A Vault that is started again whenever it has died, at most once by us. */
class Survivor {
  readonly folder: string;
  readonly masters: WorldMasters;
  deaths = 0;
  steps = 0;
  answeredAt = 0;
  readonly #dieAt: number;
  #process: VaultProcess | undefined;
  constructor(at: string, masters: WorldMasters, dieAt: number) {
    this.folder = at;
    this.masters = masters;
    this.#dieAt = dieAt;
  }
  /** What one caller sees: undefined when the Vault died under it. */
  async once(request: Ask) {
    try {
      this.#process ??= await VaultProcess.start(this.folder, this.deaths === 0 ? this.#dieAt : 0, this.masters);
      const done = await this.#process.ask(request);
      this.steps = done.steps;
      return done;
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      this.deaths++;
      this.#process = undefined;
      return undefined;
    }
  }
  async ask(request: Ask) {
    return (await this.once(request)) ?? (await this.once(request))!;
  }
  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}

const group = async (name: string, dieAt: number) => {
  const at = join(folder, name);
  await cp(join(folder, 'template'), at, { recursive: true });
  const store = await openStore(at, { vault: OURS });
  const { masters } = aGroup(store);
  await store.close();
  return new Survivor(at, masters, dieAt);
};
const accountsOf = async (at: string): Promise<Record<string, Account>> => {
  const store = await openStore(at, { vault: OURS });
  const rows = await store.database.read((sql) =>
    sql.rows('SELECT subject, reserved, spent FROM ledger JOIN subjects USING (id) WHERE reserved + spent > 0 ORDER BY subject'),
  );
  const journal = await store.database.read(async (sql) =>
    (await sql.rows('SELECT kind FROM journal ORDER BY sequence')).map((r) => r['kind']),
  );
  await store.close();
  expect(journal.filter((kind) => kind === 'reserve')).toHaveLength(1);
  expect(journal.filter((kind) => kind === 'commit' || kind === 'release')).toHaveLength(1);
  return Object.fromEntries(rows.map((r) => [String(r['subject']), { reserved: r['reserved'] as bigint, spent: r['spent'] as bigint }]));
};

/** Answer, open, a revocation, release as a sidecar drives it, and the end; returns all outputs that it saw by noise seed. */
const wholeTask = async (vault: Survivor): Promise<void> => {
  const { world } = vault.masters;
  const uid = world.submit(aTask());
  while (world.task(uid).state === 'resolving') {
    await vault.ask({ what: 'settle', task: uid });
    if (world.task(uid).parts.find((p) => p.vault === OURS)!.state === 'reserved') world.answer(uid, OTHERS);
  }
  const envelope = world.task(uid).envelope!;
  const enclave = await SliceEnclave.start(world.genesisDigest);
  world.block(enclave.ready(uid));
  const part = () => world.task(uid).parts.find((p) => p.vault === OURS)!;
  const open = async () => {
    const { parts } = await vault.ask({ what: 'open', task: uid, sealKey: enclave.sealKey });
    return (await enclave.receive(parts!, envelope)).input;
  };
  const outputs = new Map<string, string>();
  const compute = async (input: SnapshotInput, cells: bigint[]) => {
    const computed = await enclave.compute(uid, input, cells);
    const bytes = outputCommitment(computed.output);
    expect(outputs.get(input.noiseSeed) ?? bytes).toBe(bytes);
    outputs.set(input.noiseSeed, bytes);
    return computed;
  };
  const first = await open();
  if (first.kind !== 'snapshot') throw new Error('stored before anything was released');
  const early = await compute(first, [3n, 0n, 0n]);
  await vault.ask({ what: 'revoke', subject: 'cem' });
  const stale = await vault.once({ what: 'release', asked: early });
  if (stale) expect(stale.refusal?.code).toBe('ConsentChanged');
  let sent: SliceOutput | undefined;
  for (let tries = 0; !sent; tries++) {
    expect(tries).toBeLessThan(10);
    const input = await open();
    if (input.kind === 'stored') {
      // B3: nothing is handed out before the masters decided it.
      expect(part().release?.outputCommitment).toBe(outputCommitment(input.output));
      sent = input.output;
    } else {
      const computed = await compute(input, [2n, 0n, 0n]);
      const done = await vault.once({ what: 'release', asked: computed });
      if (done && !done.refusal) sent = computed.output;
    }
  }
  // B6: what left is what was first stored for that seed, and what the masters decided.
  expect([...outputs.values()]).toContain(outputCommitment(sent));
  expect(part().release).toMatchObject({ outputCommitment: outputCommitment(sent), microRho: ASK });
  await vault.ask({ what: 'settle', task: uid });
};

/** The same with a cancel before any release: all is given back. Up to the answer it is the task above. */
const cancelledTask = async (vault: Survivor): Promise<void> => {
  const { world } = vault.masters;
  const uid = world.submit(aTask());
  await vault.ask({ what: 'settle', task: uid });
  vault.answeredAt = vault.steps;
  world.answer(uid, OTHERS);
  world.block({ type: 'task.cancel', uid });
  world.followUp();
  await vault.ask({ what: 'settle', task: uid });
};

/** Whoever lost nothing has no account in the store. */
const plain = (accounts: ReadonlyMap<string, Account>): Record<string, Account> =>
  Object.fromEntries([...accounts].filter(([, { reserved, spent }]) => reserved + spent > 0n).toSorted(([a], [b]) => (a < b ? -1 : 1)));
const modelOf = (cancelled: boolean): Record<string, Account> => {
  const reserved = reserve(emptyLedger, 't', ASK, PEOPLE, 4n * ASK);
  if (cancelled) {
    const released = releaseReservation(reserved, 't');
    return plain(released.ok ? released.ledger.accounts : new Map());
  }
  const dropped = dropSubjects(reserved, 't', new Set(['cem']));
  const committed = dropped.ok ? commitReservation(dropped.ledger, 't', ASK) : dropped;
  return plain(committed.ok ? committed.ledger.accounts : new Map());
};

const survive = async (name: string, scenario: (vault: Survivor) => Promise<void>, dieAt: number): Promise<Survivor> => {
  const vault = await group(`${name}-${dieAt}`, dieAt);
  try {
    await scenario(vault);
  } finally {
    await vault.stop();
  }
  return vault;
};

test.each`
  rules           | name           | scenario         | cancelled
  ${'B3, B5, B6'} | ${'released'}  | ${wholeTask}     | ${false}
  ${'B2, B5'}     | ${'cancelled'} | ${cancelledTask} | ${true}
`(
  '$rules: a task that is $name ends with the same charges, killed at whatever step',
  async ({ name, scenario, cancelled }: { name: string; scenario: (vault: Survivor) => Promise<void>; cancelled: boolean }) => {
    const unharmed = await survive(name, scenario, 0);
    expect(unharmed.deaths).toBe(0);
    const steps = unharmed.steps;
    expect(steps).toBeGreaterThan(8);
    expect(await accountsOf(unharmed.folder)).toEqual(modelOf(cancelled));
    const dieAndCompare = async (dieAt: number): Promise<void> => {
      const vault = await survive(name, scenario, dieAt);
      expect([dieAt, vault.deaths]).toEqual([dieAt, 1]);
      expect([dieAt, await accountsOf(vault.folder)]).toEqual([dieAt, modelOf(cancelled)]);
    };
    const killAts = Array.from({ length: steps }, (_, i) => i + 1).filter((step) => step > unharmed.answeredAt);
    const lanes = [0, 1, 2].map(async (lane) => {
      for (const dieAt of killAts) if (dieAt % 3 === lane) await dieAndCompare(dieAt);
    });
    await Promise.all(lanes);
  },
  300_000,
);
