/** `genesis build` from the demo's files, and what it says about files that are wrong. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeGenesis, genesisDigest, parseSym } from '@scs/protocol';
import { NOW, symphony } from '../testing/cli.ts';
import { genesisOf, keyGroup, MEASUREMENT } from '../testing/key-group.ts';

let folder: string;
let config: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-genesis-'));
  config = await keyGroup(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const build = (text: string, ...args: string[]) => {
  const file = join(folder, 'changed.yaml');
  writeFileSync(file, text);
  return symphony(['genesis', 'build', '-f', file, '--out', join(folder, 'changed.bin'), '--measurement', MEASUREMENT, ...args]);
};
const text = (): string => readFileSync(config, 'utf8');

test("G7: the demo's genesis: canonical bytes that say what the files say", async () => {
  const bytes = readFileSync(await genesisOf(config));
  const genesis = decodeGenesis(bytes);
  expect(genesis.time).toBe(NOW.getTime());
  expect(genesis.chain).toMatchObject({
    chainId: 4,
    treasuryReserve: parseSym('1000'),
    escrowDelaySeconds: 3600n,
    escrowWindowSeconds: 86_400n,
  });
  expect(genesis.policy.windows).toMatchObject({ answerMs: 60_000, clockBoundMs: 400, maxTaskMs: 1_800_000 });
  expect(genesis.policy.enclave.measurements).toEqual([MEASUREMENT]);
  expect(genesis.actors.map((a) => [a.name, a.role, a.enterprise?.namespace])).toEqual([
    ['alder', 'enterprise', 'alder'],
    ['birch', 'enterprise', 'birch'],
    ['cedar', 'enterprise', 'cedar'],
    ['roastery', 'submitter', undefined],
    ['stranger', 'submitter', undefined],
  ]);
  expect(genesis.actors[3]!.allocation).toBe(parseSym('10000'));
  expect(genesis.masters.every((m) => m.tlsAuthority.includes('BEGIN CERTIFICATE'))).toBe(true);
});
test('N3, G3: stakes, node rewards and credits are policy; an affiliated submitter names its enterprise', async () => {
  const economy =
    '\n  economy: { stakes: { enterprise: 500, producer: 1.5 }, creditBasisPoints: 250, dividends: { subjectBits: [8, 12], claim: 90d } }\n';
  const changed = text().replace(/^policy:\n/m, `policy:${economy}`);
  expect(await build(changed)).toMatchObject({ code: 0 });
  const { policy } = decodeGenesis(readFileSync(join(folder, 'changed.bin')));
  expect(policy.economy).toMatchObject({
    stakes: { master: 0n, enterprise: parseSym('500'), producer: parseSym('1.5') },
    nodeRewards: { masters: 4000, enterprises: 6000 },
    dividends: { subjectBits: [8, 12], claimSeconds: 7_776_000n },
    creditBasisPoints: 250,
  });
  expect((await build(changed.replace('250', '10000'))).err).toContain('policy.economy.creditBasisPoints');
});
test('the same files and time give the same digest; show says it', async () => {
  const built = await build(text(), '--measurement', MEASUREMENT);
  const genesis = decodeGenesis(readFileSync(join(folder, 'changed.bin')));
  expect(built.out).toContain(`digest            ${genesisDigest(genesis)}`);
  expect(built.out).toContain('simulated: NOT private against whoever runs the machines');
  expect((await symphony(['genesis', 'show', join(folder, 'changed.bin')])).out).toBe(built.out);
  expect((await build(text())).out).toBe(built.out);
  expect((await symphony(['genesis', 'show'], { environment: { SCS_GENESIS: join(folder, 'changed.bin') } })).out).toBe(built.out);
});

describe('says what is wrong', () => {
  test.each<[string, (text: string) => string, string]>([
    ['no YAML', () => 'a: [', 'is not YAML'],
    ['a key twice', (t) => `${t}\nname: again\n`, 'is not YAML: Map keys must be unique'],
    ['an alias bomb', () => bomb(), 'is not YAML: Excessive alias count'],
    ['an unknown field', (t) => `${t}\ncolour: blue\n`, 'Unrecognized key: "colour"'],
    ['two masters', (t) => t.replace(', keys/master-2', ''), 'expected array to have'],
    [
      'an amount with too many decimals',
      (t) => t.replace('base: 1,', 'base: 0.123456789,'),
      'not a decimal with at most 8 digits after the point',
    ],
    ['a negative amount', (t) => t.replace('base: 1,', 'base: -1,'), 'policy.fees.query.base'],
    ['an amount in words', (t) => t.replace('allocation: 10000', 'allocation: many'), 'submitters[0].allocation'],
    ['epsilon too fine', (t) => t.replace('maxEpsilonPerTask: 1', 'maxEpsilonPerTask: 0.0000001'), 'maxEpsilonPerTask'],
    ['a window without a unit', (t) => t.replace('answer: 60s', 'answer: 60'), 'policy.windows.answer'],
    ['a window in a unit of its own', (t) => t.replace('answer: 60s', 'answer: 1y'), 'a window is written as 300ms, 5s, 10m, 2h or 7d'],
    ['a window that is too short', (t) => t.replace('answer: 60s', 'answer: 5ms'), 'policy.windows.answerMs'],
    ['shares that are not the whole', (t) => t.replace('operators: 4000', 'operators: 4001'), 'shares must sum to 10000 basis points'],
    [
      'K2: a withdrawal faster than a task',
      (t) => t.replace('escrowDelay: 1h', 'escrowDelay: 30m'),
      'must be longer than the longest task',
    ],
    [
      'a key folder that is not there',
      (t) => t.replace('keys/publisher', 'keys/nobody'),
      'nobody/public.json (a public key file was expected)',
    ],
    [
      'a key of another kind',
      (t) => t.replace('keys/publisher', 'keys/recovery-0'),
      'the key of a recovery; it must be that of a publisher',
    ],
    ['one master twice', (t) => t.replace('keys/master-2', 'keys/master-0'), 'A key is given twice'],
    [
      'masters out of order',
      (t) => t.replace('keys/master-0, keys/master-1', 'keys/master-1, keys/master-0'),
      'in the order of their index',
    ],
    ['one namespace twice', (t) => t.replace('namespace: birch', 'namespace: alder'), "An enterprise's namespace is given twice"],
    ['a catalogue that is not there', (t) => t.replace('catalogue.yaml', 'none.yaml'), 'none.yaml (YAML was expected)'],
  ])('%s', async (_what, change, sentence) => {
    const changed = change(text());
    expect(changed).not.toBe(text());
    const { code, out, err } = await build(changed);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(sentence);
    expect(err).not.toMatch(/\n\s+at /);
  });
  test('a measurement that is none, and none at all', async () => {
    expect((await build(text(), '--measurement', 'abc')).err).toContain('policy.enclave.measurements[1]');
    const none = await symphony(['genesis', 'build', '-f', config, '--out', join(folder, 'x.bin')]);
    expect([none.code, none.err.includes('policy.enclave.measurements')]).toEqual([1, true]);
  });
  test('a place that can not be written', async () => {
    const { code, err } = await symphony([
      'genesis',
      'build',
      '-f',
      config,
      '--out',
      join(folder, 'no/where'),
      '--measurement',
      MEASUREMENT,
    ]);
    expect([code, err.includes("can't be written")]).toEqual([1, true]);
  });
  test('a genesis file that is none', async () => {
    const { code, err } = await symphony(['genesis', 'show', config]);
    expect(code).toBe(1);
    expect(err).toContain('is not a genesis file');
  });
});
const bomb = (): string =>
  ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefg'.split('').map((k, i) => `${k}: &${k} [${Array(9).fill(`*${'abcdefg'[i]}`).join(',')}]`)].join(
    '\n',
  );
