/** N5: what is signed is what the masters will check, and nothing that a person wrote gets lost on the way. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorizationMessage, encodeGenesis, genesisDigest, instantMs, verifySignature, type Task } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { actorKey, testKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { signTask, type SigningInput } from './sign-task.ts';
import { NOW, symphony } from './testing/cli.ts';
import { submitterFolder } from './testing/settled-task.ts';
import { unknownFields } from './unknown-fields.ts';

const manifest = readFileSync(resolve(import.meta.dirname, '../../examples/campaign/task.yaml'), 'utf8');
const resultKey = { publicKey: testKey('result').publicKey, seed: testKey('result').seed };
const genesis = aGenesis();
let folder: string;
let keys: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-sign-'));
  keys = join(folder, 'roastery');
  await submitterFolder(keys, 'roastery', resultKey);
  writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(genesis));
  writeFileSync(join(folder, 'task.yaml'), manifest);
});
afterAll(() => rmSync(folder, { recursive: true }));

const signed = (changes: Partial<SigningInput> = {}): Promise<Task> =>
  signTask({ yaml: manifest, file: 'task.yaml', keys, genesis, namespace: 'elsewhere', now: NOW, validSeconds: 900, ...changes });
const fits = ({ metadata, spec }: Task): boolean => {
  const { publicKey, nonce, expiry, signature } = spec.authorization!;
  const message = authorizationMessage({
    genesis: genesisDigest(genesis),
    chainId: genesis.chain.chainId,
    namespace: metadata.namespace!,
    name: metadata.name,
    spec,
    nonce,
    expiryMs: BigInt(instantMs(expiry)!),
  });
  return publicKey === actorKey('roastery').publicKey && verifySignature(publicKey, message, signature);
};
const change = (from: string, to: string): Partial<SigningInput> => {
  if (!manifest.includes(from)) throw new Error(`the manifest has no ${from}`);
  return { yaml: manifest.replace(from, to) };
};

test('fills in submitter, result key, defaults and authorization; the signature fits', async () => {
  const task = await signed();
  expect(task.metadata).toEqual({ name: 'coffee-by-age', namespace: 'roastery' });
  expect(task.spec).toMatchObject({
    submitter: actorKey('roastery').address,
    resultKey: resultKey.publicKey,
    deadlineSeconds: 600,
    coordination: { quorum: 2 },
    authorization: { expiry: '2026-01-01T12:15:00.000Z' },
  });
  expect(fits(task)).toBe(true);
});
test('the masters accept it', async () => {
  const world = World.ready();
  world.time = NOW.getTime();
  world.observe();
  const { metadata, spec } = await signed();
  const { uid } = aTask();
  world.block({ type: 'task.admit', uid, namespace: metadata.namespace!, name: metadata.name, spec, user: 'roastery' });
  expect(world.task(uid)).toMatchObject({ state: 'accepted' });
});
test('one changed letter, and the signature no longer fits', async () => {
  const task = await signed();
  expect(fits({ ...task, metadata: { ...task.metadata, name: 'coffee-by-agf' } })).toBe(false);
  expect(fits({ ...task, metadata: { ...task.metadata, namespace: 'other' } })).toBe(false);
  expect(fits({ ...task, spec: { ...task.spec, maxFee: '11' } })).toBe(false);
  expect(fits({ ...task, spec: { ...task.spec, query: { ...task.spec.query!, groupBy: 'product_group' } } })).toBe(false);
});
test('T7: ttl is outside the signature: it may be changed without signing again', async () => {
  const { metadata, spec, ...rest } = await signed(change('  class: query', '  ttlSecondsAfterFinished: 60\n  class: query'));
  expect(spec.ttlSecondsAfterFinished).toBe(60);
  const { ttlSecondsAfterFinished: _ttl, ...without } = spec;
  expect(fits({ ...rest, metadata, spec: { ...spec, ttlSecondsAfterFinished: 7 } })).toBe(true);
  expect(fits({ ...rest, metadata, spec: without })).toBe(true);
});
test('each signature has a nonce of its own, and replaces an older authorization', async () => {
  const first = await signed();
  const again = await signed({ yaml: stringify(first) });
  expect(again.spec.authorization!.nonce).not.toBe(first.spec.authorization!.nonce);
  expect(fits(again)).toBe(true);
});
test('another name, another namespace', async () => {
  expect((await signed({ name: 'tea-2' })).metadata.name).toBe('tea-2');
  const nameless = change('  namespace: roastery\n', '');
  expect((await signed(nameless)).metadata.namespace).toBe('elsewhere');
  expect((await signed({ ...nameless, explicitNamespace: 'asked' })).metadata.namespace).toBe('asked');
  await expect(signed({ explicitNamespace: 'asked' })).rejects.toMatchObject({ code: 'NamespaceMismatch' });
  expect((await signed({ explicitNamespace: 'roastery' })).metadata.namespace).toBe('roastery');
});

describe('refused, and why', () => {
  test.each([
    ['another kind', 'kind: Task', 'kind: Job', 'kind'],
    [
      'a typing error in the spec',
      'groupBy: age_group',
      'grupBy: age_group',
      'there is no field spec.query.grupBy. See kubectl explain task.spec.',
    ],
    ['a typing error in a predicate', 'in: [coffee]', 'in: [coffee], like: tea', 'there is no field spec.query.where[0].like'],
    [
      'a field of metadata that we would drop',
      '  name: coffee-by-age',
      '  name: coffee-by-age\n  generateName: x',
      'Unrecognized key: "generateName"',
    ],
    ['a status', 'kind: Task', 'kind: Task\nstatus: {}', 'Unrecognized key: "status"'],
    ['a number where a decimal is text', 'epsilon: "0.5"', 'epsilon: 0.5', 'expected string, received number'],
    ['no usage', '  usage: marketing\n', '', 'usage'],
    ['a name that Kubernetes refuses', 'name: coffee-by-age', 'name: Coffee', 'lowercase letters, digits, dashes and dots'],
  ])('%s', async (_what, from, to, sentence) => {
    await expect(signed(change(from, to))).rejects.toMatchObject({
      code: 'ManifestInvalid',
      message: expect.stringContaining(sentence) as string,
    });
  });
  test('a submitter whose key this is not', async () => {
    const other = actorKey('stranger').address;
    await expect(signed(change('  usage: marketing', `  submitter: "${other}"\n  usage: marketing`))).rejects.toMatchObject({
      code: 'WrongKey',
    });
  });
  test('no YAML', () => expect(signed({ yaml: 'a: b: c' })).rejects.toMatchObject({ code: 'ManifestInvalid' }));
});

describe('kubectl symphony sign', () => {
  const sign = (...args: string[]) =>
    symphony(['sign', '-f', join(folder, 'task.yaml'), ...args], {
      environment: { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: keys },
    });
  test('prints a manifest to apply; key and genesis from the environment', async () => {
    const { code, out } = await sign('--valid-for', '60');
    expect(code).toBe(0);
    const task = parse(out) as Task;
    expect(task.spec.authorization!.expiry).toBe('2026-01-01T12:01:00.000Z');
    expect(fits(task)).toBe(true);
  });
  test('-f - reads standard input', async () => {
    const environment = { SCS_GENESIS: join(folder, 'genesis.bin'), SCS_KEYS: keys };
    const { out } = await symphony(['sign', '-f', '-'], { environment, input: manifest });
    expect(fits(parse(out) as Task)).toBe(true);
    const { code, err } = await symphony(['sign', '-f', '-'], { environment, input: 'a: [' });
    expect([code, err.startsWith('standard input is not YAML')]).toEqual([1, true]);
  });
  test('another key folder that is no key folder', async () => {
    const { code, err } = await sign('--keys', folder);
    expect([code, err]).toEqual([1, `There is no ${join(folder, 'public.json')} (a public key file was expected). (FileMissing)`]);
  });
});

test('unknownFields names whatever a schema dropped', () => {
  expect(unknownFields({ a: 1, b: [{ c: 1, d: 2 }], e: undefined }, { a: 1, b: [{ c: 1 }] })).toEqual(['b[0].d']);
  expect(unknownFields({ toString: 1 }, {})).toEqual(['toString']);
});
