/**
 * A command that makes the rules throw would stop the log for everybody (N1). So: whatever a submitter, a Vault, an enterprise or
 * an enclave signs, as long as it decodes, `apply` answers, and what follows from it goes on.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBlock, encodeBlock } from '../block.ts';
import { encodeCanonical } from '../encoding/canonical.ts';
import { Command, decodeCommand, encodeCommand, type VaultOffer } from '../commands.ts';
import { signStatement } from '../evidence.ts';
import { sign } from '../keys.ts';
import { authorizationMessage } from '../authorization.ts';
import { aCatalogueChange } from '../testing/catalogue-change.ts';
import { aGenesis, vaultNames } from '../testing/genesis.ts';
import { actorKey, digestOf, masterKey, vaultKey } from '../testing/keys.ts';
import {
  aggregateCommand,
  anOffer,
  answerCommand,
  readyCommand,
  registerCommand,
  releaseCommand,
  sliceReadyCommand,
} from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import { instantMs } from './log-time.ts';

const genesis = aGenesis();
type Json = unknown;

/** What stands in a place of the same format: it decodes, so the rules get to see it. */
const formats: readonly (readonly [RegExp, fc.Arbitrary<string>])[] = [
  [
    /^\d{4}-\d\d-\d\dT/,
    fc.constantFrom('1960-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-02-30T00:00:00Z', 'x'),
  ],
  [/^\d{4}-\d\d-\d\d$/, fc.constantFrom('0000-01-01', '2017-02-30', '9999-12-31', '2017-10-04', '0000-00-00')],
  [/^\d+(\.\d+)?$/, fc.constantFrom('0', '0.00000001', '999999999999.99999999', '184467440737.09551616', '0.5', '0.1234567')],
  [/^0x[0-9a-f]{64}$/, fc.constantFrom(`0x${'0'.repeat(64)}`, actorKey('roastery').address, actorKey('shop-b').address)],
  [/^[0-9a-f]{128}$/, fc.constantFrom('00'.repeat(64), 'ff'.repeat(64))],
  [/^[0-9a-f]{64}$/, fc.constantFrom('00'.repeat(32), 'ff'.repeat(32), `01${'00'.repeat(31)}`)],
  [/^[0-9a-f]{32}$/, fc.constantFrom('00'.repeat(16), 'ff'.repeat(16))],
  [/^[0-9a-f]{200,}$/, fc.constantFrom('', '00', 'ff'.repeat(1184), '00'.repeat(1184))],
];
const anyText = fc.oneof(
  fc.constantFrom('', '#', '#1', '##', '__proto__', 'constructor', '\ud800', '\u0000', '-', '..'),
  fc.string({ maxLength: 20 }),
);
const wildText = (text: string): fc.Arbitrary<string> => {
  const format = formats.find(([pattern]) => pattern.test(text));
  return format ? fc.oneof({ weight: 9, arbitrary: format[1] }, { weight: 1, arbitrary: anyText }) : anyText;
};
const wildInteger = fc.constantFrom(0n, 1n, 2n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, 10n ** 77n);
const wildNumber = fc.constantFrom(0, 1, 2, 31, 1000, 86_400, 1_000_000, Number.MAX_SAFE_INTEGER);

/** Everywhere in `value` something else of the same kind, now and then. */
const bent = (value: Json, pick: fc.GeneratorValue, perMille: number): Json => {
  const swap = pick(fc.integer, { min: 0, max: 999 }) < perMille;
  if (typeof value === 'bigint') return swap ? pick(() => wildInteger) : value;
  if (typeof value === 'number') return swap ? pick(() => wildNumber) : value;
  if (typeof value === 'string') return swap ? pick(wildText, value) : value;
  if (Array.isArray(value)) {
    const items = value.map((item) => bent(item, pick, perMille));
    return swap ? [...items, ...items].slice(pick(fc.integer, { min: 0, max: 2 })) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => key === 'type' || pick(fc.integer, { min: 0, max: 999 }) >= perMille / 8);
  return Object.fromEntries(kept.map(([key, field]) => [key, key === 'type' ? field : bent(field, pick, perMille)]));
};

/** As it would arrive: only what decodes counts. */
const arrived = (value: Json): Command | undefined => {
  try {
    const parsed = Command.safeParse(value);
    return parsed.success ? decodeCommand(encodeCommand(parsed.data)) : undefined;
  } catch {
    return undefined;
  }
};

/** Signed again by whom it is from, so that what is inside is looked at and not just the signature. */
const signedAgain = (command: Command, g: World): Command => {
  switch (command.type) {
    case 'task.admit': {
      const { namespace, name, spec } = command;
      const { authorization } = spec;
      const expiryMs = authorization && instantMs(authorization.expiry);
      if (!authorization || expiryMs === undefined) return command;
      const { chainId } = g.genesis.chain;
      const { nonce } = authorization;
      const message = authorizationMessage({ genesis: g.genesisDigest, chainId, namespace, name, spec, nonce, expiryMs: BigInt(expiryMs) });
      const { seed, publicKey } = actorKey('roastery');
      return { ...command, spec: { ...spec, authorization: { ...authorization, publicKey, signature: sign(seed, message) } } };
    }
    case 'catalogue.change': {
      const sign = (master: number) => signStatement(masterKey(master).seed, 'catalogue.change', g.genesisDigest, command.statement);
      return { ...command, approvals: [0, 2].map((master) => ({ master, signature: sign(master) })) };
    }
    case 'vault.register':
      return registerCommand(g, command.offer);
    case 'vault.answer':
      return {
        ...command,
        signature: signStatement(vaultKey(command.statement.vault).seed, 'vault.answer', g.genesisDigest, command.statement),
      };
    case 'slice.release':
      return {
        ...command,
        signature: signStatement(vaultKey(command.receipt.vault).seed, 'slice.release', g.genesisDigest, command.receipt),
      };
    default:
      return command;
  }
};

/** A world with a task in each stage, and what could honestly be said in it: the seeds of the lies. */
const stages = (): { world: World; seeds: readonly Command[] } => {
  const world = World.ready(genesis);
  const uids = [0, 1, 2, 3].map(() => world.submit(aTask()));
  for (const uid of uids.slice(1)) world.answer(uid);
  for (const uid of uids.slice(2)) world.ready(uid);
  world.release(uids[3]!);
  world.aggregatorReady(uids[3]!);
  const task = (i: number) => world.task(uids[i]!);
  const [vault] = vaultNames;
  const { address, name } = world.aggregator(uids[3]!);
  const seeds: Command[] = [
    aTask().signed(genesis),
    aTask().unsigned(),
    registerCommand(world, anOffer(vault!, { revision: 1 })),
    registerCommand(
      world,
      anOffer(vault!, { revision: 2, localAttributes: [{ domain: 'retail.purchase', name: 'STORE', type: 'string', coverage: 'most' }] }),
    ),
    aCatalogueChange(world, [
      { kind: 'addDomain', domain: { name: 'retail.other', parent: 'retail.purchase', overlapBound: 2, description: '' } },
      { kind: 'move', layer: 'query', name: 'age_group', to: 'deprecated', successor: 'product_group' },
    ]),
    answerCommand(world, task(0), vault!, 50n),
    answerCommand(world, task(0), vaultNames[1]!, 50n, { code: 'Busy', message: 'not now' }),
    sliceReadyCommand(world, task(1), vault!),
    releaseCommand(world, task(2), vault!, 60n),
    readyCommand(world, task(3), 'aggregator', address, name, 1),
    aggregateCommand(world, task(3), address),
    { type: 'aggregator.replace', uid: uids[3]!, failed: address },
    { type: 'task.cancel', uid: uids[2]! },
    { type: 'task.resolve', uid: uids[0]! },
    { type: 'task.dispatch', uid: uids[0]! },
    { type: 'settlement.batch', number: 1n },
    {
      type: 'chain.observed',
      ledgerVersion: 200n,
      time: world.time,
      escrows: [{ account: actorKey('roastery').address, balance: 5n, withdrawing: 0n }],
      settled: [],
    },
    {
      type: 'chain.observed',
      ledgerVersion: 200n,
      time: world.time,
      escrows: [],
      settled: [{ batch: 1n, tasksRoot: digestOf('root'), transaction: `0x${digestOf('t')}`, version: 1n }],
    },
  ];
  return { world, seeds };
};

const copyOf = (world: World): World => {
  const copy = new World(world.genesis);
  copy.state = world.state;
  copy.time = world.time;
  return copy;
};
const base = stages();

describe('N1: no command that decodes makes the rules throw', () => {
  test('bent honest commands, signed again by whom they are from, and all that follows from them', () => {
    fc.assert(
      fc.property(fc.gen(), fc.integer({ min: 0, max: base.seeds.length - 1 }), fc.constantFrom(20, 60, 150), (pick, i, perMille) => {
        const command = arrived(bent(base.seeds[i], pick, perMille));
        if (!command) return;
        const world = copyOf(base.world);
        const signed = arrived(signedAgain(command, world));
        if (!signed) return;
        world.propose(signed);
        world.followUp();
        world.advance(2_000_000);
      }),
      { numRuns: 600 },
    );
  });

  test.each(['1960-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '1969-12-31T23:59:59.999Z'])(
    'an authorization that expired before time began: %s',
    (expiry) => {
      const world = copyOf(base.world);
      const command = aTask().signed(genesis);
      const { spec } = command;
      world.block({ ...command, spec: { ...spec, authorization: { ...spec.authorization!, expiry } } });
      expect(world.task(command.uid).rejection?.code).toBe('SpecInvalid');
    },
  );
});

test('T6: a Vault’s words are printable: no control of a terminal gets into a status', () => {
  const [task] = base.seeds.flatMap((c) => (c.type === 'vault.answer' ? [base.world.task(c.statement.task)] : []));
  const said = (message: string) => arrived(answerCommand(base.world, task!, vaultNames[0]!, 50n, { code: 'Busy', message }));
  expect(said('der Schlüssel fehlt; “later”, ½ Stunde')).toBeDefined();
  for (const message of ['\u001b[2J', 'a\nb', '\u009b', '\u202e', '\ud800']) expect(said(message)).toBeUndefined();
});

test('E2: bytes hide nothing that their digest does not cover', () => {
  const { height, block: parent } = base.world.state.must('meta');
  const block = { height: height + 1n, generation: 0n, parent, time: base.world.time, proposer: 0, commands: [aTask().signed(genesis)] };
  expect(decodeBlock(encodeBlock(block))).toEqual(block);
  const [task] = block.commands;
  const stuffed = { ...block, commands: [{ ...task, spec: { ...task!.spec, stuff: 'x'.repeat(1000) } }] };
  expect(() => decodeBlock(encodeCanonical(stuffed))).toThrow(RangeError);
  expect(() => decodeCommand(encodeCanonical({ ...task, spec: { ...task!.spec, coordination: undefined } }))).toThrow(RangeError);
});

test('bounds of an offer: each usage and class once, so that a record stays small', () => {
  const offer = anOffer(vaultNames[0]!, { revision: 1 });
  const domain = offer.domains[0]!;
  const many = (change: Partial<VaultOffer['domains'][number]>) =>
    arrived(registerCommand(base.world, { ...offer, domains: [{ ...domain, ...change }] }));
  expect(many({})).toBeDefined();
  expect(many({ usages: Array.from({ length: 5000 }, () => 'marketing' as const) }) === undefined).toBe(true);
  expect(many({ classes: Array.from({ length: 5000 }, () => 'query' as const) })).toBeUndefined();
});

test('M4: an aggregator that starts anew again and again spoils its own turn only', () => {
  const world = World.ready(genesis);
  const uid = world.submit(aTask());
  world.answer(uid);
  world.ready(uid);
  world.release(uid);
  const first = world.aggregator(uid);
  const start = (n: number) => readyCommand(world, world.task(uid), 'aggregator', first.address, first.name, n);
  for (let n = 0; world.faultOf(start(n)) === undefined; n += 1) world.block(start(n));
  expect(world.faultOf(start(99))).toBe('TooManyEnclaves');
  world.advance(genesis.policy.windows.aggregatorReplaceMs + 1_000);
  expect(world.aggregator(uid).address).not.toBe(first.address);
  world.aggregatorReady(uid);
  world.aggregate(uid);
  expect(world.task(uid).state).toBe('verifying');
});
