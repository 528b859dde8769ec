/** Key folders and the Secrets made of them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { beforeAll, describe, expect, onTestFinished, test, afterAll } from 'vitest';
import { addressOf, chipStatement, publicKeyOf, SimulatedChip, verifySignature } from '@scs/protocol';
import { generateSealKey, open, packSealed, seal, unpackSealed } from '@scs/proto/sealing.ts';
import { PublicFile, readPublic, readSeed } from '../keys/key-folder.ts';
import { symphony } from '../testing/cli.ts';

let folder: string;
const keygen = (...args: string[]) => symphony(['keygen', ...args, '--out', folder]);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-keygen-'));
  await keygen('simulated-root');
  await keygen('master', '1');
  await keygen('enterprise', 'acme', '--simulated-root', join(folder, 'simulated-root'));
  await keygen('enterprise', 'hardware-only');
  await keygen('submitter', 'roastery');
  await keygen('producer', 'household-7');
  await keygen('publisher');
  await keygen('recovery', '2');
});
afterAll(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const publicOf = (name: string): PublicFile => PublicFile.parse(JSON.parse(readFileSync(join(folder, name, 'public.json'), 'utf8')));

describe('keygen', () => {
  test.each([
    ['simulated-root', ['root.key'], []],
    ['master-1', ['counter.key', 'durable.key', 'gas.key', 'tls.key'], ['counter.crt', 'tls.crt']],
    ['enterprise-acme', ['actor.key', 'chip.json', 'tls.key'], ['tls.crt']],
    ['enterprise-hardware-only', ['actor.key', 'tls.key'], ['tls.crt']],
    ['submitter-roastery', ['actor.key', 'result.key'], []],
    ['producer-household-7', ['actor.key', 'result.key'], []],
    ['publisher', ['account.key'], []],
    ['recovery-2', ['recovery.key'], []],
  ])('%s: secrets are for their owner alone', (name, secrets, others) => {
    expect(readdirSync(join(folder, name)).toSorted()).toEqual([...secrets, ...others, 'public.json'].toSorted());
    expect(modeOf(join(folder, name))).toBe('700');
    for (const secret of secrets) expect([secret, modeOf(join(folder, name, secret))]).toEqual([secret, '600']);
    const text = readFileSync(join(folder, name, 'public.json'), 'utf8');
    for (const secret of secrets) expect(text).not.toContain(readFileSync(join(folder, name, secret), 'utf8').trim());
  });

  test.each([
    ['master-1', 'durable.key'],
    ['enterprise-acme', 'actor.key'],
    ['submitter-roastery', 'actor.key'],
    ['publisher', 'account.key'],
    ['recovery-2', 'recovery.key'],
    ['simulated-root', 'root.key'],
  ] as const)('%s: public key and address belong to the secret', async (name, file) => {
    const publicKey = publicKeyOf(await readSeed(join(folder, name), file));
    expect(publicOf(name)).toMatchObject({ publicKey, address: addressOf(publicKey) });
  });

  test('masters pay gas from an account of its own', async () => {
    const { gasAddress, address } = publicOf('master-1');
    expect(gasAddress).toBe(addressOf(publicKeyOf(await readSeed(join(folder, 'master-1'), 'gas.key'))));
    expect(gasAddress).not.toBe(address);
  });

  test("M5: what is sealed to the submitter's result key opens with its secret, and with no other", async () => {
    const sealed = packSealed(await seal(publicOf('submitter-roastery').resultKey!, 'task-result', Buffer.from('hello')));
    const seed = await readSeed(join(folder, 'submitter-roastery'), 'result.key');
    expect(Buffer.from(await open(seed, 'task-result', unpackSealed(sealed))).toString()).toBe('hello');
    const { privateKey } = await generateSealKey();
    await expect(open(privateKey, 'task-result', unpackSealed(sealed))).rejects.toMatchObject({ code: 'SealInvalid' });
  });

  test('A4: a chip is certified by the simulated root; without the root there is none', () => {
    const chip = SimulatedChip.parse(JSON.parse(readFileSync(join(folder, 'enterprise-acme', 'chip.json'), 'utf8')));
    const statement = chipStatement(chip.chipId, publicKeyOf(chip.seed));
    expect(verifySignature(publicOf('simulated-root').publicKey, statement, chip.certificate)).toBe(true);
  });

  test('never overwrites', async () => {
    const before = readFileSync(join(folder, 'submitter-roastery', 'actor.key'), 'utf8');
    const { code, err } = await keygen('submitter', 'roastery');
    expect(code).toBe(1);
    expect(err).toContain('exists already. Keys are never overwritten');
    expect(readFileSync(join(folder, 'submitter-roastery', 'actor.key'), 'utf8')).toBe(before);
  });

  test.each([
    [['submitter'], '(none) is not a name: use lowercase letters, digits and dashes'],
    [['submitter', 'Äcme'], 'is not a name'],
    [['submitter', '../x'], 'is not a name'],
    [['enterprise', 'x', '--simulated-root', '/no/such'], 'There is no /no/such/root.key (a secret key was expected).'],
  ])('refuses %j', async (args, sentence) => {
    const { code, err } = await keygen(...args);
    expect(code).toBe(1);
    expect(err).toContain(sentence);
  });
  test('says when --out is no folder', async () => {
    const { code, err } = await symphony(['keygen', 'recovery', '0', '--out', join(folder, 'nowhere')]);
    expect([code, err]).toEqual([1, `There is no folder ${join(folder, 'nowhere')} to put recovery-0 in. (FolderMissing)`]);
  });
});

describe('public files of others', () => {
  test.each([
    ['no JSON', 'hello', 'is not a public key file'],
    ['a field too many', JSON.stringify({ secret: 1 }), 'Unrecognized key: "secret"'],
  ])('%s', async (_what, text, sentence) => {
    const file = join(folder, 'bad.json');
    writeFileSync(file, text);
    onTestFinished(() => rmSync(file));
    await expect(readPublic(file)).rejects.toThrow(sentence);
  });
  test('an address that is not of the key', async () => {
    const file = join(folder, 'bad.json');
    writeFileSync(file, JSON.stringify({ ...publicOf('publisher'), address: publicOf('recovery-2').address }));
    onTestFinished(() => rmSync(file));
    await expect(readPublic(file)).rejects.toThrow('the address does not belong to the key');
  });
});

describe('keygen secrets', () => {
  const secretsOf = async (name: string) => {
    const { code, out } = await symphony(['keygen', 'secrets', join(folder, name), '-n', 'somewhere']);
    expect(code).toBe(0);
    return parseAllDocuments(out).map((d) => d.toJS() as { metadata: { name: string; namespace: string }; data: Record<string, string> });
  };
  test.each([
    [
      'master-1',
      { 'scs-master-1-keys': ['durable.key', 'gas.key', 'tls.crt', 'tls.key'], 'scs-counter-1': ['counter.crt', 'counter.key'] },
    ],
    ['enterprise-acme', { 'scs-agent-keys': ['actor.key'], 'scs-tls': ['tls.crt', 'tls.key'], 'scs-chip': ['chip.json'] }],
    ['enterprise-hardware-only', { 'scs-agent-keys': ['actor.key'], 'scs-tls': ['tls.crt', 'tls.key'] }],
  ])('%s', async (name, wanted) => {
    const secrets = await secretsOf(name);
    expect(Object.fromEntries(secrets.map((s) => [s.metadata.name, Object.keys(s.data)]))).toEqual(wanted);
    for (const { metadata, data } of secrets) {
      expect(metadata.namespace).toBe('somewhere');
      for (const [file, content] of Object.entries(data))
        expect(Buffer.from(content, 'base64').toString()).toBe(readFileSync(join(folder, name, file), 'utf8'));
    }
  });
  test('a submitter keeps its keys to itself', async () => {
    const { code, out, err } = await symphony(['keygen', 'secrets', join(folder, 'submitter-roastery'), '-n', 'x']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('belongs to a submitter; only masters and enterprises have Secrets in a cluster. (KeyFolderKind)');
  });
  test('a folder with a file missing prints nothing at all', async () => {
    await keygen('enterprise', 'torn');
    rmSync(join(folder, 'enterprise-torn', 'tls.key'));
    const { code, out, err } = await symphony(['keygen', 'secrets', join(folder, 'enterprise-torn'), '-n', 'x']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('tls.key (a key file was expected). (FileMissing)');
  });
});
