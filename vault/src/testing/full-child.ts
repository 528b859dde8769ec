/** For tests: a Vault on a file system that fills up to its last byte, then gets room again. Prints what it was told and what is there. */
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bought, DOMAIN, fill, granted, openStore } from './a-store.ts';

const folder = process.argv[2]!;
/** The guard is off: the file system itself shall refuse. */
const options = { room: () => Promise.resolve({ free: 2 ** 40, size: 2 ** 40 }) };
const store = await openStore(folder, options);
await fill(store, ['ann', 'bob'].map(bought), ['ann', 'bob'].map(granted));

const done: string[] = [];
const codes: string[] = [];
const said: string[] = ['bob'];
const step = async (work: () => Promise<unknown>, into: string[], name: string): Promise<void> => {
  try {
    await work();
    into.push(name);
  } catch (error) {
    codes.push(error instanceof Error && 'code' in error ? String(error.code) : 'Unknown');
  }
};
const reserve = (task: string): Promise<void> =>
  step(
    () => store.reserve({ task, submitter: 'x', nonce: task, domain: DOMAIN, usage: 'analytics', ask: 10n, limit: 10_000n }),
    done,
    task,
  );
await store.consent({ subject: 'bob', usage: 'analytics', state: 'granted', time: 1 });
await reserve('before');
const ballast = join(folder, 'data', 'ballast');
const { bavail, bsize } = statfsSync(folder);
writeFileSync(ballast, new Uint8Array(bavail * bsize));
for (let i = 0; i < 8; i++) await reserve(`full-${i}`);
await step(() => store.consent({ subject: 'ann', usage: 'analytics', state: 'granted', time: 2 }), said, 'ann');
rmSync(ballast);
await reserve('after');
await store.close();

const again = await openStore(folder, options);
const after = (await again.unfinished()).map(({ task }) => task);
const [row] = await again.database.read((sql) => sql.rows('SELECT max(reserved)::VARCHAR AS most FROM ledger'));
const consents = await again.database.read((sql) =>
  sql.rows("SELECT subject FROM consents JOIN subjects USING (id) WHERE usage = 'analytics' ORDER BY subject"),
);
await again.close();
console.log(JSON.stringify({ done, after, codes, said: said.toSorted(), consents: consents.map((c) => c['subject']), ledger: row }));
