/**
 * Dividends, the Vault's side (rule K6): once an epoch's pot is fixed and all of its tasks are known here, the Vault derives who of its
 * producers earns what, keeps the leaves, and tells the masters nothing but the root. Each step may be repeated after a crash: leaves
 * are derived once, and a root is decided once. A producer gets the proofs from here and nowhere else.
 */
import { createHmac } from 'node:crypto';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import {
  decodeRecord,
  dividendShares,
  fromHex,
  growBlindTree,
  isTerminal,
  leavesUnderRoot,
  signStatement,
  subjectsOfBand,
  type BlindTree,
  type DividendProofs,
  type Genesis,
  type PotRecord,
  type Transfer,
  type VaultSpec,
} from '@scs/protocol';
import { economyOf } from '@scs/protocol/economy.ts';
import type { MastersPort } from '@scs/proto';
import { certifiedTask } from '../certified.ts';
import { errorCode, type Logger } from '../logger.ts';
import type { VaultStore } from '../store/vault-store.ts';
import {
  chargedBy,
  earns,
  leavesOf,
  noteNothing,
  noteNumber,
  noteShare,
  openEpochs,
  promise,
  promisedFor,
  rootsWith,
  sharesOf,
  tasksWithoutShare,
} from './tables.ts';

export interface DividendsOptions {
  readonly store: VaultStore;
  readonly masters: Pick<MastersPort, 'getLeaf' | 'submit'>;
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly manifest: Pick<VaultSpec, 'sizeBand'>;
  readonly log: Logger;
  readonly everyMs?: number;
}
/** What a producer gets: proofs to claim by, and the Vault's word for each. */
export interface Earned extends DividendProofs {
  readonly receipts: readonly { readonly epoch: number; readonly number: bigint; readonly amount: bigint; readonly signature: string }[];
}
const MOST_TASKS = 500;
/** Roots whose proofs one answer holds: the contract takes as many in one claim. */
const MOST_ROOTS = 64;
const READING = { timeoutMs: 10_000 } as const;

export class Dividends {
  readonly #o: DividendsOptions;
  constructor(options: DividendsOptions) {
    this.#o = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, store, everyMs = 60_000 } = this.#o;
    while (!signal.aborted) {
      try {
        await this.turn();
      } catch (error) {
        log.warn({ vault: store.vault, code: errorCode(error) }, 'dividends are not done; trying again');
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined); // only the signal ends it
    }
  }

  /** Looks at what the masters decided since, and publishes what is complete. Throws MastersUnavailable and StoreError. */
  async turn(): Promise<void> {
    const { database } = this.#o.store;
    for (const task of await database.read((sql) => tasksWithoutShare(sql, MOST_TASKS))) await this.#learn(task);
    for (const epoch of await database.read(openEpochs)) await this.#publish(epoch);
  }

  /** A task's share is in its certified record, once its batch is decided. */
  async #learn(task: string): Promise<void> {
    const { store, masters } = this.#o;
    const record = await certifiedTask(masters, task, READING);
    if (!record) return;
    const { dividend, batch, state, charge } = record;
    if (dividend) await store.database.write((sql) => noteShare(sql, { task, ...dividend }));
    else if (batch !== undefined || (isTerminal(state) && charge === 0n)) await store.database.write((sql) => noteNothing(sql, task));
  }

  async #pot(epoch: number): Promise<PotRecord | undefined> {
    const { store, masters } = this.#o;
    const leaf = await masters.getLeaf(`pot/${epoch}/${store.vault}`, READING);
    return leaf && decodeRecord('pot', leaf.value);
  }

  async #publish(epoch: number): Promise<void> {
    const { store, masters, log, genesisDigest } = this.#o;
    const pot = await this.#pot(epoch);
    if (pot?.total === undefined) return;
    const root = await this.#promised(epoch, { amount: pot.amount, total: pot.total });
    if (root === undefined) return;
    if (pot.root === undefined) {
      const statement = { vault: store.vault, epoch, root };
      const signature = signStatement(store.keys.signSeed, 'vault.dividends', genesisDigest, statement);
      const reply = await masters.submit({ type: 'vault.dividends', statement, signature });
      if (!reply.ok && reply.code !== 'AlreadyDecided')
        return log.warn({ epoch, code: reply.code }, 'the masters did not take the dividends');
    }
    const decided = pot.root === undefined ? await this.#pot(epoch) : pot;
    const number = decided?.number;
    if (decided?.root !== root || number === undefined)
      return log.error({ epoch }, 'other dividends of this Vault are decided: was its file restored without them?');
    await store.database.write((sql) => noteNumber(sql, epoch, number));
    log.info({ epoch }, 'dividends are published');
  }

  /** The root of the epoch, derived and kept on the first call; undefined while tasks of it are missing here. */
  async #promised(epoch: number, pot: { readonly amount: bigint; readonly total: bigint }): Promise<string | undefined> {
    const { store, genesis, manifest } = this.#o;
    const known = await store.database.read((sql) => promisedFor(sql, epoch));
    if (known) return known.root;
    const shares = await store.database.read((sql) => sharesOf(sql, epoch));
    if (shares.reduce((sum, { share }) => sum + share, 0n) !== pot.amount) return undefined;
    const economy = economyOf(genesis.policy);
    const work = [];
    for (const { task, share } of shares)
      for (const { account, charged } of await store.database.read((sql) => chargedBy(sql, task))) work.push({ account, charged, share });
    const leaves = dividendShares(work, pot, subjectsOfBand(economy, manifest.sizeBand));
    const bits = leavesUnderRoot(economy).toString(2).length - 1;
    const { root } = await this.#tree(epoch, bits, leaves);
    await store.write('dividends', (sql) => promise(sql, { epoch, root, bits }, leaves));
    return root;
  }

  /** The secret of an epoch's tree: by a key that never leaves the Vault. */
  async #tree(epoch: number, bits: number, leaves: readonly Transfer[]): Promise<BlindTree> {
    const secret = createHmac('sha256', fromHex(this.#o.store.keys.subjectKey)).update(`SCS::dividends::v1/${epoch}`).digest();
    const growing = growBlindTree(secret, bits, leaves);
    let step = growing.next();
    while (step.done !== true) {
      await setImmediate();
      step = growing.next();
    }
    return step.value;
  }

  /** Whether the account has leaves here at all. */
  earns(account: string): Promise<boolean> {
    return this.#o.store.database.read((sql) => earns(sql, account));
  }

  /** The producer's own claims, newest first, with a receipt each. The caller has made sure that it is the producer who asks. */
  async earnedBy(account: string): Promise<Earned> {
    const { store, genesisDigest } = this.#o;
    const roots = await store.database.read((sql) => rootsWith(sql, account, MOST_ROOTS));
    const claims = [];
    const receipts = [];
    for (const { epoch, bits, number } of roots) {
      const leaves = await store.database.read((sql) => leavesOf(sql, epoch));
      const tree = await this.#tree(epoch, bits, leaves);
      const claim = tree.claim(
        number!,
        leaves.findIndex((leaf) => leaf.account === account),
      );
      const receipt = { vault: store.vault, epoch, number: number!, account, amount: claim.amount };
      claims.push(claim);
      receipts.push({
        epoch,
        number: number!,
        amount: claim.amount,
        signature: signStatement(store.keys.signSeed, 'vault.dividend-receipt', genesisDigest, receipt),
      });
    }
    return { account, claims, receipts };
  }
}
