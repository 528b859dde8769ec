/** What every implementation of the port `Chain` does, as a test suite: called with the simulated chain and with the real one. */
import { describe, expect, test } from 'vitest';
import { decideMessage } from '@scs/protocol/certificate.ts';
import type { CertifiedLeaf, Committee, Head } from '@scs/protocol/certificate.ts';
import { hex } from '@scs/protocol/encoding/bytes.ts';
import { digest } from '@scs/protocol/encoding/hash.ts';
import { publicKeyOf, sign } from '@scs/protocol/keys.ts';
import { MerkleMap } from '@scs/protocol/merkle.ts';
import { signSeat } from '@scs/protocol/seat.ts';
import type { ReplacementLink } from '@scs/protocol/succession.ts';
import { batchKey, committeeKey, encodeBatch, encodeCommittee } from '@scs/protocol/settlement-layout.ts';
import type { Batch, SettlementLeaf } from '@scs/protocol/settlement-layout.ts';
import { buildBatch } from '@scs/protocol/settlement.ts';
import type { SettledTask } from '@scs/protocol/settlement.ts';
import { ChainError } from '../chain.ts';
import type { Chain } from '../chain.ts';

export const contractGenesis: string = digest('genesis', new TextEncoder().encode('chain contract test'));
const seeds = ['chain contract 0', 'chain contract 1', 'chain contract 2'].map((text): string =>
  digest('seed', new TextEncoder().encode(text)),
);
export const contractCommittee: Committee = { generation: 0n, keys: seeds.map(publicKeyOf) };

export const decideVote = (master: number, head: Head): string => sign(seeds[master] ?? '', decideMessage(head));

/** A chain fresh from genesis, with two submitters who can act on their escrow. */
export interface ChainUnderTest {
  readonly chain: Chain;
  readonly submitters: readonly [string, string];
  readonly deposit: (submitter: 0 | 1, amount: bigint) => Promise<void>;
  readonly requestWithdrawal: (submitter: 0 | 1, amount: bigint) => Promise<void>;
  /** Bonds as an enterprise. */
  readonly bond: (submitter: 0 | 1, amount: bigint) => Promise<void>;
  /** So much time passes that at least 2,000 base units are to be minted. */
  readonly letMintingFallDue: () => Promise<void>;
  /** Lets the chain's time pass; without it, it passes by itself. */
  readonly advance?: () => void;
  /** Another master's view of the same chain. */
  readonly another: () => Chain;
  readonly close: () => Promise<void>;
}

/** One task that charges its whole quote: a tenth to one worker, the rest to the treasury. */
const taskOf = (submitter: string, charge: bigint, name: string): SettledTask => ({
  leaf: {
    envelope: digest('envelope', new TextEncoder().encode(name)),
    submitter,
    quote: charge,
    charge,
    refund: 0n,
    evidence: contractGenesis,
  },
  split: { credits: [{ account: `0x${'7'.repeat(64)}`, amount: charge / 10n }], dividends: 0n, treasury: charge - charge / 10n },
});
const tasksOf = (number: bigint, charges: readonly (readonly [string, bigint])[]): SettledTask[] =>
  charges.map(([submitter, charge], i) => taskOf(submitter, charge, `${number}/${i}/${charge}`));
/** A batch of one task a charge, and the settlement leaves of those tasks. */
export const batchOf = (number: bigint, charges: readonly (readonly [string, bigint])[]): Batch =>
  buildBatch({ number, epoch: 1n, tasks: tasksOf(number, charges) });
export const leavesOf = (number: bigint, charges: readonly (readonly [string, bigint])[]): SettlementLeaf[] =>
  tasksOf(number, charges).map(({ leaf }) => leaf);

/** The batch as a leaf that `masters` certified. */
export const certifiedBatch = (batch: Batch, masters: readonly number[] = [0, 2], generation = 0n): CertifiedLeaf =>
  certified(batchKey(batch.number), encodeBatch(batch), batch.number + 5n, masters, generation);
/** Any bytes as a leaf of a small state that `masters` certified. */
export const certified = (
  key: string,
  value: Uint8Array,
  height = 9n,
  masters: readonly number[] = [0, 2],
  generation = 0n,
): CertifiedLeaf => {
  const state = MerkleMap.empty.set('meta', new Uint8Array(3)).set(key, value).set('task/1', new Uint8Array(1));
  const head: Head = {
    genesis: contractGenesis,
    generation,
    height,
    stateRoot: hex(state.root()),
    block: contractGenesis,
  };
  const votes = masters.map((master) => ({ master, signature: decideVote(master, head) }));
  return { key, value: hex(value), siblings: (state.prove(key)?.siblings ?? []).map(hex), certificate: { head, votes } };
};

/** Master 1 gets another key after block 9, certified by the others; no state holds the record, which no contract reads. */
const nextCommittee = (): ReplacementLink => {
  const seed = digest('seed', new TextEncoder().encode('chain contract 1, the second'));
  const keys = contractCommittee.keys.with(1, publicKeyOf(seed));
  const terms = { generation: 1n, master: 1, publicKey: publicKeyOf(seed), tlsAuthority: '', rewardAddress: `0x${'7'.repeat(64)}` };
  const handover = { seat: signSeat(seed, contractGenesis, terms), keys, last: 9n };
  const { siblings, certificate } = certified(committeeKey(1n), encodeCommittee({ generation: 1n, keys }));
  return { handover, certificate: { head: certificate.head, votes: [...certificate.votes] }, path: [], committeePath: [...siblings] };
};

const faultOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    return error.fault.code === 'ContractRefused' ? error.fault.reason : error.fault.code;
  }
};

export const describeChain = (name: string, open: () => Promise<ChainUnderTest>): void => {
  const withChain = async (use: (under: ChainUnderTest) => Promise<void>): Promise<void> => {
    const under = await open();
    try {
      await use(under);
    } finally {
      await under.close();
    }
  };

  describe(`Chain: ${name}`, () => {
    test('K2: a reading of all escrows at one ledger version', () =>
      withChain(async ({ chain, submitters, deposit, requestWithdrawal }) => {
        const stranger = `0x${'5'.repeat(64)}`;
        const nothing = { balance: 0n, withdrawing: 0n, debt: 0n };
        const before = await chain.observe([stranger]);
        expect(before).toMatchObject({ nextBatch: 1n, escrows: { [stranger]: nothing } });
        await deposit(0, 500n);
        await deposit(1, 70n);
        await requestWithdrawal(1, 20n);
        const after = await chain.observe([...submitters, stranger]);
        expect(after.escrows).toEqual({
          [submitters[0]]: { balance: 500n, withdrawing: 0n, debt: 0n },
          [submitters[1]]: { balance: 70n, withdrawing: 20n, debt: 0n },
          [stranger]: nothing,
        });
        expect(after.ledgerVersion).toBeGreaterThan(before.ledgerVersion);
        expect(after.timestampMs).toBeGreaterThanOrEqual(before.timestampMs);
        expect((await chain.observe([])).escrows).toEqual({});
        expect(await chain.observe([...submitters, stranger], after)).toEqual(after);
        expect((await chain.observe(submitters, before)).escrows).toEqual({ [submitters[0]]: nothing, [submitters[1]]: nothing });
        const future = { ledgerVersion: after.ledgerVersion + 1_000n, timestampMs: after.timestampMs };
        expect(await faultOf(chain.observe([], future))).toBe('ChainUnavailable');
        expect(await faultOf(chain.observe([], { ...after, timestampMs: after.timestampMs + 3_600_000n }))).toBe('ChainUnavailable');
        expect(await chain.gasBalance()).toBeGreaterThan(0n);
      }));

    test('K2: an old version does not pass for what the chain was later', () =>
      withChain(async ({ chain, submitters, deposit, requestWithdrawal, advance }) => {
        const pass = async (): Promise<void> => {
          const { timestampMs } = await chain.observe([]);
          advance?.();
          while ((await chain.observe([])).timestampMs <= timestampMs);
        };
        await deposit(0, 500n);
        const before = await chain.observe(submitters);
        await pass();
        await requestWithdrawal(0, 500n);
        await pass();
        const now = await chain.observe(submitters);
        expect(await faultOf(chain.observe(submitters, { ...now, ledgerVersion: before.ledgerVersion }))).toBe('PointFalse');
        expect(await chain.observe(submitters, before)).toEqual(before);
        expect(await chain.observe(submitters, now)).toEqual(now);
      }));

    test('P3, P4: a batch lands once, whoever sends it and however often', () =>
      withChain(async ({ chain, another, submitters, deposit }) => {
        await deposit(0, 500n);
        const batch = batchOf(1n, [[submitters[0], 300n]]);
        const leaf = certifiedBatch(batch);
        expect(await chain.settledBatch(1n)).toBeUndefined();
        const landed = await chain.settle({ leaf });
        expect(await chain.settledBatch(1n)).toEqual({ tasksRoot: batch.tasksRoot, ...landed });
        expect(await chain.settle({ leaf })).toEqual(landed);
        expect(await another().settle({ leaf: certifiedBatch(batch, [0, 1, 2]) })).toEqual(landed);
        const { nextBatch, escrows } = await chain.observe([submitters[0]]);
        expect({ nextBatch, balance: escrows[submitters[0]]?.balance }).toEqual({ nextBatch: 2n, balance: 200n });
      }));

    test('P4: two at once are one', () =>
      withChain(async ({ chain, another, submitters, deposit }) => {
        await deposit(0, 500n);
        const leaf = certifiedBatch(batchOf(1n, [[submitters[0], 300n]]));
        const [one, two, three] = await Promise.all([chain.settle({ leaf }), chain.settle({ leaf }), another().settle({ leaf })]);
        expect(two).toEqual(one);
        expect(three).toEqual(one);
        expect((await chain.observe([submitters[0]])).escrows[submitters[0]]?.balance).toBe(200n);
      }));

    test('P3: an empty escrow becomes a debt, and the batch lands', () =>
      withChain(async ({ chain, submitters, deposit }) => {
        await deposit(0, 100n);
        await chain.settle({
          leaf: certifiedBatch(
            batchOf(
              1n,
              submitters.map((s) => [s, 150n] as const),
            ),
          ),
        });
        expect((await chain.observe(submitters)).escrows).toEqual({
          [submitters[0]]: { balance: 0n, withdrawing: 0n, debt: 50n },
          [submitters[1]]: { balance: 0n, withdrawing: 0n, debt: 150n },
        });
        await deposit(0, 80n);
        expect((await chain.observe(submitters)).escrows[submitters[0]]).toEqual({ balance: 30n, withdrawing: 0n, debt: 0n });
      }));

    test('P5: the next committee is taken once, from the one before; then that one’s certificates count no more', () =>
      withChain(async ({ chain, another, submitters, deposit }) => {
        await deposit(0, 500n);
        const batch = batchOf(1n, [[submitters[0], 300n]]);
        const link = nextCommittee();
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(batch, [0, 2], 1n) }))).toBe('WrongGeneration');
        expect(await faultOf(chain.appoint({ ...link, committeePath: [] }))).toBe('PathMismatch');
        await chain.appoint(link);
        await Promise.all([chain.appoint(link), another().appoint(link)]);
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(batch) }))).toBe('WrongGeneration');
        await chain.settle({ leaf: certifiedBatch(batch, [0, 2], 1n) });
      }));

    test('what is refused, and why', () =>
      withChain(async ({ chain, submitters }) => {
        const first = batchOf(1n, [[submitters[0], 300n]]);
        const unsound = { ...first, treasury: first.treasury + 1n };
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(batchOf(2n, [[submitters[0], 5n]])) }))).toBe('BatchOutOfOrder');
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(first, [1]) }))).toBe('TooFewVotes');
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(first, [1, 1]) }))).toBe('VotesNotOrdered');
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(unsound) }))).toBe('SumsDiffer');
        expect(await faultOf(chain.settle({ leaf: { ...certifiedBatch(first), siblings: [] } }))).toBe('PathMismatch');
        await chain.settle({ leaf: certifiedBatch(first) });
        expect(await faultOf(chain.settle({ leaf: certifiedBatch(batchOf(1n, [[submitters[0], 7n]])) }))).toBe('SettledOtherwise');
      }));
  });
};
