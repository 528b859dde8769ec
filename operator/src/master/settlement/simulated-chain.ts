/**
 * The settlement chain in memory: the rules of `contracts/scs` as far as the port shows them, for tests of the masters and
 * for the simulator. It passes the same contract test as the real one (`testing/chain-contract.ts`).
 */
import { leafFault } from '@scs/protocol/certificate.ts';
import type { CertifiedLeaf, Committee } from '@scs/protocol/certificate.ts';
import { fromHex, hex } from '@scs/protocol/encoding/bytes.ts';
import { digest } from '@scs/protocol/encoding/hash.ts';
import { batchFault } from '@scs/protocol/settlement.ts';
import { batchKey, decodeBatch, FIRST_BATCH } from '@scs/protocol/settlement-layout.ts';
import { appointedBy, committeeLeaf, type ReplacementLink } from '@scs/protocol/succession.ts';
import { ChainError } from './chain.ts';
import { simulatedEconomy, type EconomyOutside } from './simulated-economy.ts';
import type { Chain, ChainFault, ChainReading, EscrowReading, SettledBatch } from './chain.ts';

const NOTHING: EscrowReading = { balance: 0n, withdrawing: 0n, debt: 0n };

/** What the outside does to the chain, beside the port that the masters see. */
export interface SimulatedChain extends Chain {
  readonly economyOutside: EconomyOutside;
  deposit(address: string, amount: bigint): void;
  /** Stays requested: the simulated chain plays neither ripening nor expiry. */
  requestWithdrawal(address: string, amount: bigint): void;
  advance(ms: bigint): void;
  /** The next calls of the port fail so, one fault a call; `afterEffect`: only after the call has done its work. */
  fail(faults: readonly ChainFault[], when?: 'beforeEffect' | 'afterEffect'): void;
}

export const simulatedChain = (setup: { genesis: string; committee: Committee; startMs: bigint }): SimulatedChain => {
  const escrows = new Map<string, EscrowReading>();
  const settled = new Map<bigint, SettledBatch & { txHash: string; version: bigint }>();
  let planned: { fault: ChainFault; when: 'beforeEffect' | 'afterEffect' }[] = [];
  let ledgerVersion = 0n;
  let timestampMs = setup.startMs;
  let nextBatch = FIRST_BATCH;

  interface Version {
    readonly madeMs: bigint;
    readonly nextBatch: bigint;
    readonly escrows: ReadonlyMap<string, EscrowReading>;
    readonly economy: ReturnType<typeof economy.snapshot>;
  }
  const history = new Map<bigint, Version>();
  /** Whose certificates count: the committee of today (P5). */
  const group = { genesis: setup.genesis, committee: setup.committee };
  const economy = simulatedEconomy(group, () => commit());
  const commit = (): void => {
    ledgerVersion += 1n;
    history.set(ledgerVersion, { madeMs: timestampMs, nextBatch, escrows: new Map(escrows), economy: economy.snapshot() });
  };
  history.set(0n, { madeMs: timestampMs, nextBatch, escrows: new Map(), economy: economy.snapshot() });

  const escrowOf = (address: string): EscrowReading => escrows.get(address) ?? NOTHING;
  const charge = (address: string, amount: bigint): void => {
    const { balance, withdrawing, debt } = escrowOf(address);
    const taken = balance < amount ? balance : amount;
    const left = balance - taken;
    escrows.set(address, { balance: left, withdrawing: withdrawing < left ? withdrawing : left, debt: debt + amount - taken });
  };
  const answer = async <T>(effect: () => T): Promise<T> => {
    const plan = planned.shift();
    if (plan?.when === 'beforeEffect') throw new ChainError(plan.fault);
    const result = effect();
    if (plan !== undefined) throw new ChainError(plan.fault);
    return result;
  };
  const refuse = (reason: string): ChainError => new ChainError({ code: 'ContractRefused', reason, detail: 'simulated chain' });

  const settle = (leaf: CertifiedLeaf): { txHash: string; version: bigint } => {
    const batch = decodeBatch(fromHex(leaf.value));
    const before = settled.get(batch.number);
    if (before !== undefined) {
      if (before.tasksRoot === batch.tasksRoot) return { txHash: before.txHash, version: before.version };
      throw new ChainError({ code: 'SettledOtherwise', number: batch.number, tasksRoot: before.tasksRoot });
    }
    if (batch.number > nextBatch) throw new ChainError({ code: 'BatchOutOfOrder', next: nextBatch, got: batch.number });
    const fault = leafFault({ ...leaf, key: batchKey(batch.number) }, group.genesis, group.committee) ?? batchFault(batch);
    if (fault !== undefined) throw refuse(fault.code);
    for (const { account, amount } of batch.debits) charge(account, amount);
    nextBatch += 1n;
    economy.settled(leaf.value);
    commit();
    const landed = { txHash: `0x${digest('simulated transaction', fromHex(leaf.value))}`, version: ledgerVersion };
    settled.set(batch.number, { tasksRoot: batch.tasksRoot, ...landed });
    return landed;
  };

  const appoint = (link: ReplacementLink): void => {
    const generation = appointedBy(link);
    if (group.committee.generation >= generation) return;
    const { key, value } = committeeLeaf(link);
    const leaf = { key, value: hex(value), siblings: link.committeePath, certificate: link.certificate };
    const fault = leafFault(leaf, group.genesis, group.committee);
    if (fault !== undefined) throw refuse(fault.code);
    group.committee = { generation, keys: link.handover.keys };
    commit();
  };

  return {
    observe: (addresses, at = { ledgerVersion, timestampMs }) =>
      answer((): ChainReading => {
        const then = history.get(at.ledgerVersion);
        if (then === undefined || at.timestampMs > timestampMs)
          throw new ChainError({ code: 'ChainUnavailable', detail: `no version ${at.ledgerVersion} at ${at.timestampMs} yet` });
        if ((history.get(at.ledgerVersion + 1n)?.madeMs ?? at.timestampMs) < at.timestampMs)
          throw new ChainError({ code: 'PointFalse', ledgerVersion: at.ledgerVersion, timestampMs: at.timestampMs });
        const escrowsThen = Object.fromEntries(addresses.map((address) => [address, then.escrows.get(address) ?? NOTHING]));
        return { ledgerVersion: at.ledgerVersion, timestampMs: at.timestampMs, nextBatch: then.nextBatch, escrows: escrowsThen };
      }),
    settle: ({ leaf }) => answer(() => settle(leaf)),
    settledBatch: (number) => answer(() => settled.get(number)),
    economy: (question, at) =>
      answer(() => {
        const then = history.get(at.ledgerVersion);
        if (then === undefined) throw new ChainError({ code: 'ChainUnavailable', detail: `no version ${at.ledgerVersion} yet` });
        return then.economy(question);
      }),
    land: (kind, number, leaf) => answer(() => economy.land(kind, number, leaf)),
    appoint: (link) => answer(() => appoint(link)),
    mintDue: () => answer(economy.mintDue),
    report: (proof) => answer(() => economy.report(proof)),
    economyOutside: economy.outside,
    gasBalance: () => answer(() => 10n ** 8n),
    deposit: (address, amount) => {
      const { balance, withdrawing, debt } = escrowOf(address);
      const repaid = debt < amount ? debt : amount;
      escrows.set(address, { balance: balance + amount - repaid, withdrawing, debt: debt - repaid });
      commit();
    },
    requestWithdrawal: (address, amount) => {
      const escrow = escrowOf(address);
      if (amount > escrow.balance) throw refuse('EscrowInsufficient');
      escrows.set(address, { ...escrow, withdrawing: amount });
      commit();
    },
    advance: (ms) => {
      timestampMs += ms;
    },
    fail: (faults, when = 'beforeEffect') => {
      planned = [...planned, ...faults.map((fault) => ({ fault, when }))];
    },
  };
};
