/** The process as a pod runs it: environment, TLS, health, the local door, a clean stop. Its masters are away. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeGenesis, type Genesis } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { grpcClient, VaultNode, type GrpcClient } from '@scs/proto';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { authoritiesOf, clientCredentials, enterpriseIdentity } from '@scs/proto/tls.ts';
import { httpfsExtension } from '../scripts/fetch-httpfs.ts';
import { Moto, REGION } from './testing/moto.ts';
import { manifestOf } from './testing/a-group.ts';
import { PAGE, send, writeCertificate } from './testing/a-rights.ts';
import { aFolder, openStore, parquetOf, PRODUCER } from './testing/a-store.ts';

const MAIN = new URL('./main.ts', import.meta.url).pathname;
const notBefore = new Date(Date.now() - 3_600_000);
let folder: string;
let remove: () => Promise<void>;
let genesis: Genesis;
let tls: Record<string, TlsIdentity>;
let environment: Record<string, string>;
const running: ChildProcess[] = [];

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
};
const identitiesOf = async (names: readonly string[]) => {
  const made: Record<string, TlsIdentity> = {};
  const authorities: Record<string, string> = {};
  for (const name of names) {
    const identity = enterpriseIdentity(actorKey(name).address);
    const authority = await createAuthority(actorKey(name).seed, identity, notBefore, 1);
    authorities[name] = authority.certificatePem;
    made[name] = await issue(authority, actorKey(name).seed, identity, notBefore, 1);
  }
  return { made, authorities };
};

beforeEach(async () => {
  ({ folder, remove } = await aFolder());
  const { made, authorities } = await identitiesOf(['alder', 'birch', 'cedar']);
  tls = made;
  const plain = aGenesis();
  genesis = {
    ...plain,
    masters: plain.masters.map((m) => ({ ...m, tlsAuthority: authorities['alder']! })),
    actors: plain.actors.map((a) => (a.enterprise ? { ...a, enterprise: { ...a.enterprise, tlsAuthority: authorities[a.name]! } } : a)),
  };
  await mkdir(join(folder, 'tls'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'genesis.bin'), encodeGenesis(genesis));
  await writeFile(join(folder, 'spec.json'), JSON.stringify(manifestOf({ rights: { tlsSecret: 'cert', subjectKeys: true } })));
  await writeFile(join(folder, 'key'), `${'ab'.repeat(32)}\n`);
  await writeFile(join(folder, 'tls', 'tls.crt'), tls['alder']!.certificatePem);
  await writeFile(join(folder, 'tls', 'tls.key'), tls['alder']!.keyPem);
  environment = {
    PATH: process.env['PATH'] ?? '',
    SCS_VAULT: 'alder/shoppers',
    SCS_MASTERS: '127.0.0.1:1,127.0.0.1:1,127.0.0.1:1',
    SCS_GENESIS: join(folder, 'genesis.bin'),
    SCS_TLS: join(folder, 'tls'),
    SCS_VAULT_SPEC: join(folder, 'spec.json'),
    SCS_DATA: join(folder, 'data'),
    SCS_DATA_KEY: join(folder, 'key'),
    SCS_SCRATCH: folder,
    SCS_HTTPFS: await httpfsExtension(),
    SCS_RIGHTS_TLS: await writeCertificate(folder),
    SCS_RIGHTS_PAGE: PAGE,
    SCS_RIGHTS_LISTEN: `127.0.0.1:${await freePort()}`,
    SCS_LISTEN: `127.0.0.1:${await freePort()}`,
    SCS_HEALTH_LISTEN: `127.0.0.1:${await freePort()}`,
  };
});
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  await remove();
});

const run = (args: readonly string[], input?: Uint8Array): ChildProcess => {
  const child = spawn(process.execPath, [MAIN, ...args], { env: environment, stdio: 'pipe' });
  running.push(child);
  child.stdin!.end(input);
  return child;
};
const finished = async (child: ChildProcess) => {
  const [out, error, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')]);
  return { out, error, code: code as number };
};
const fetched = async (path: string): Promise<number> =>
  fetch(`http://${environment['SCS_HEALTH_LISTEN']}${path}`).then(
    ({ status }) => status,
    () => 0,
  );
const clientOf = (name: string): GrpcClient<typeof VaultNode> =>
  grpcClient(
    VaultNode,
    environment['SCS_LISTEN']!,
    clientCredentials(tls[name]!, authoritiesOf(genesis), enterpriseIdentity(actorKey('alder').address)),
  );

test('serves its enterprise only, takes records and consents, tells a subject, and stops cleanly', async () => {
  const server = run(['serve']);
  const log = text(server.stdout!);
  await expect.poll(() => fetched('/readyz'), { timeout: 60_000 }).toBe(200);
  expect(await fetched('/livez')).toBe(200);
  expect(await fetched('/metrics')).toBe(200);
  const [own, foreign] = [clientOf('alder'), clientOf('birch')];
  const health = await own.health({});
  expect(health).toMatchObject({ ready: true, reason: 'Serving', publicKey: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown });
  await expect(foreign.health({})).rejects.toMatchObject({ code: 7 });
  await expect(own.release({ task: 'none' })).resolves.toMatchObject({ code: 'MastersUnavailable' });
  own.close();
  foreign.close();
  expect((await stat(join(folder, 'data', 'admin.sock'))).mode & 0o777).toBe(0o600);

  const helper = await openStore(join(folder, 'helper'));
  const file = await readFile(
    await parquetOf(
      helper,
      `SELECT 'ann' AS subject, DATE '2017-03-01' AS "purchase.day", 'coffee' AS "purchase.commodity", '25-34' AS "household.age", '${PRODUCER}' AS producer`,
    ),
  );
  await helper.close();
  expect(await finished(run(['import', '--domain', 'retail.purchase'], file))).toMatchObject({
    code: 0,
    out: expect.stringContaining('done: 1 rows') as unknown,
  });
  expect(await finished(run(['import', '--domain', 'retail.purchase'], file))).toMatchObject({
    code: 0,
    out: expect.stringContaining('before') as unknown,
  });
  const csv = Buffer.from('subject,usage,state,time\nann,marketing,granted,2024-01-01T00:00:00Z\n');
  expect(await finished(run(['import', '--consents', '--format', 'csv'], csv))).toMatchObject({ code: 0 });
  expect(await finished(run(['import', '--domain', 'health.visit'], csv))).toMatchObject({
    code: 1,
    error: expect.stringContaining('DomainNotOffered') as unknown,
  });
  expect(await finished(run(['consent', '--subject', 'ann', '--usage', 'marketing', '--state', 'revoked']))).toMatchObject({ code: 0 });
  const view = await finished(run(['subject', '--subject', 'ann']));
  expect(JSON.parse(view.out)).toMatchObject({
    ok: true,
    history: [{ state: 'granted' }, { state: 'revoked' }],
    records: { 'retail.purchase': [{ 'purchase.day': '2017-03-01', 'purchase.commodity': 'coffee' }] },
  });
  const key = ['key', '--subject', 'ann', '--key', 'ab'.repeat(32)];
  expect(await finished(run(key))).toMatchObject({ code: 0 });
  expect(await finished(run([...key, '--remove']))).toMatchObject({ code: 0 });
  expect(await finished(run([...key, '--remove']))).toMatchObject({ code: 1, error: expect.stringContaining('NotFound') as unknown });
  const page = await send(Number(environment['SCS_RIGHTS_LISTEN']!.split(':')[1]), { path: '/' });
  expect(page).toMatchObject({ status: 200, text: expect.stringContaining('<title>Your data</title>') as unknown });
  expect(await finished(run(['erase', '--subject', 'ann']))).toMatchObject({ code: 0 });
  expect(await finished(run(['subject', '--subject', 'ann']))).toMatchObject({ code: 1 });

  server.kill('SIGTERM');
  const [code] = (await once(server, 'exit')) as [number];
  expect(code).toBe(0);
  expect(await log).not.toMatch(/ann|coffee|2017-03-01|25-34/);
});

test('a KMS, a bucket for the journal and one for backups, as the manifest names them; a restored process goes on where it was', async () => {
  const moto = await Moto.start();
  running.push(moto.process);
  await moto.bucket('the-vaults');
  const place = { bucket: 'the-vaults', region: REGION, endpoint: moto.endpoint };
  const kms = { keyId: await moto.key(), region: REGION, endpoint: moto.endpoint };
  const spec = (backup: object) =>
    manifestOf({ cloudSecret: 's', encryption: { kms }, journal: { s3: place }, backup: { s3: place, ...backup } });
  await mkdir(join(folder, 'cloud'));
  await writeFile(join(folder, 'cloud', 'access-key-id'), 'vault\n');
  await writeFile(join(folder, 'cloud', 'secret-access-key'), 'not-secret\n');
  await writeFile(join(folder, 'spec.json'), JSON.stringify(spec({})));
  environment['SCS_CLOUD'] = join(folder, 'cloud');
  let server = run(['serve']);
  await expect.poll(() => fetched('/readyz'), { timeout: 60_000 }).toBe(200);
  const csv = Buffer.from('subject,usage,state,time\nann,marketing,granted,2024-01-01T00:00:00Z\n');
  expect(await finished(run(['import', '--consents', '--format', 'csv'], csv))).toMatchObject({ code: 0 });
  expect(await finished(run(['rotate-key']))).toMatchObject({ code: 0 });
  expect(await finished(run(['backup']))).toMatchObject({ code: 0, out: expect.stringMatching(/^\d{8}T\d{6}Z$/m) as unknown });
  expect(await finished(run(['consent', '--subject', 'ann', '--usage', 'marketing', '--state', 'revoked']))).toMatchObject({ code: 0 });
  server.kill('SIGTERM');
  await once(server, 'exit');
  // The volume is lost.
  await rm(join(folder, 'data'), { recursive: true });
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'spec.json'), JSON.stringify(spec({ restore: 'latest' })));
  server = run(['serve']);
  await expect.poll(() => fetched('/readyz'), { timeout: 60_000 }).toBe(200);
  const view = await finished(run(['subject', '--subject', 'ann']));
  // It came after the backup, from the journal's copy; who said it, from the backup.
  expect(JSON.parse(view.out)).toMatchObject({ ok: true, history: [{ state: 'granted' }, { state: 'revoked' }] });
  // B8: without the copy nothing takes effect, and it says so.
  moto.process.kill('SIGKILL');
  await expect.poll(() => fetched('/readyz'), { timeout: 60_000 }).toBe(503);
  server.kill('SIGTERM');
  expect(await once(server, 'exit')).toEqual([0, null]);
}, 180_000);

test.each`
  wrong             | change                                     | says
  ${'no name'}      | ${{ SCS_VAULT: '' }}                       | ${'SCS_VAULT'}
  ${'two masters'}  | ${{ SCS_MASTERS: 'a:1,b:2' }}              | ${'SCS_MASTERS'}
  ${'no genesis'}   | ${{ SCS_GENESIS: '/nowhere/genesis.bin' }} | ${'SCS_GENESIS'}
  ${'no extension'} | ${{ SCS_HTTPFS: '/nowhere/httpfs' }}       | ${'StoreLocked'}
`('$wrong stops the start and says $says', async ({ change, says }: { change: Record<string, string>; says: string }) => {
  environment = { ...environment, ...change };
  const { code, error } = await finished(run(['serve']));
  expect(code).toBe(1);
  expect(error).toContain(says);
  expect(error).not.toContain('ab'.repeat(32));
});
