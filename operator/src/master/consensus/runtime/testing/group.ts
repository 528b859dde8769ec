/** Three masters in this process: real disks, real signatures, real time; channels and counters that a test can take away. */
import {
  committeeOf,
  genesisDigest,
  sign,
  signSeat,
  succeeded,
  type Command,
  type Genesis,
  type Succession,
  type SuccessionLink,
} from '@scs/protocol';
import { recoveryMessage } from '@scs/protocol/recovery.ts';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { masterKey, testKey } from '@scs/protocol/testing/keys.ts';
import { realClock, type Clock } from '../../../../kube/clock.ts';
import type { Logger } from '../../../../kube/logger.ts';
import { silentLogger } from '../../../log/testing/silent-logger.ts';
import type { Rules } from '../../../log/rules-port.ts';
import type { Testimony } from '../../../log/log.ts';
import { openMasterFile } from '../../../log/sqlite-disk.ts';
import { agreementStore } from '../agreement-store.ts';
import type { Limits } from '../../environment.ts';
import { MinbftLog } from '../minbft-log.ts';
import { PeerLink, type Channel } from '../peer-link.ts';
import type { Packet } from '../wire-codec.ts';
import { LocalCounter } from './local-counter.ts';
import { testRules } from './test-rules.ts';

export interface Member {
  readonly log: MinbftLog;
  stop(): Promise<void>;
}
const recoveryKeys = [0, 1, 2].map((i) => testKey(`recovery ${i}`));

export class TestGroup {
  /** As of today: a recovery puts another in its place, for masters that start from then on. */
  genesis: Genesis;
  readonly genesisDigest: string;
  readonly counters: readonly LocalCounter[];
  readonly members: (Member | undefined)[] = [undefined, undefined, undefined];
  /** Pairs `a-b` of which b hears nothing from a. */
  readonly cut = new Set<string>();
  /** What masters say of a block's world. */
  testimony: (index: number, commands: readonly Command[]) => Testimony = () => ({ kind: 'fits' });
  /** Of all masters that start from now on. */
  limits: Partial<Limits> = { checkpointEvery: 16 };
  /** Which durable key each master has. */
  readonly keys = [0, 1, 2];
  readonly #files: readonly string[];
  readonly #links: SuccessionLink[] = [];
  /** Of masters that start from now on. */
  rules: (genesis: Genesis, genesisDigest: string) => Rules = testRules;
  /** Milliseconds that all clocks are ahead of the real one. */
  ahead = 0;
  readonly #clock: Clock = { ...realClock, now: () => realClock.now() + this.ahead };
  readonly #origin: Genesis;
  readonly #logger: (index: number) => Logger;

  /** `files`: path of each master's disk. */
  constructor(files: readonly string[], logger: (index: number) => Logger = () => silentLogger) {
    this.genesis = aGenesis({ time: Date.now() - 1_000, recoveryKeys: recoveryKeys.map((k) => k.publicKey) });
    this.#origin = this.genesis;
    this.genesisDigest = genesisDigest(this.genesis);
    this.counters = [0, 1, 2].map((i) => new LocalCounter(this.genesisDigest, i));
    this.#files = files;
    this.#logger = logger;
  }

  /** A channel whose other end takes packets in the next turn of the event loop. */
  #channel(from: number, to: number): Channel {
    const over = Promise.withResolvers<void>();
    let open = true;
    const deliver = (packet: Packet): void => {
      if (open && !this.cut.has(`${from}-${to}`)) this.members[to]?.log.receive(from, packet, () => {});
    };
    return {
      write: (packet) => {
        setImmediate(deliver, packet);
        return true;
      },
      drained: async () => {},
      ended: over.promise,
      close: () => {
        open = false;
        over.resolve();
      },
    };
  }

  start(index: number): MinbftLog {
    const { disk, file } = openMasterFile({ file: this.#files[index] ?? ':memory:', genesis: this.genesisDigest, master: index });
    const others = [0, 1, 2].filter((i) => i !== index);
    const log = new MinbftLog({
      genesis: this.genesis,
      genesisDigest: this.genesisDigest,
      index,
      seed: masterKey(this.keys[index]!).seed,
      rules: this.rules(this.genesis, this.genesisDigest),
      disk,
      store: agreementStore(file, disk),
      counter: this.counters[index]!,
      links: new Map(
        others.map((to) => [to, new PeerLink({ open: () => this.#channel(index, to), clock: realClock, random: Math.random })]),
      ),
      witness: { check: async (block) => this.testimony(index, block.commands) },
      candidates: { take: () => [], refused: () => {} },
      clock: this.#clock,
      random: Math.random,
      logger: this.#logger(index),
      limits: this.limits,
    });
    this.members[index] = {
      log,
      stop: async () => {
        await log.stop();
        disk.close();
      },
    };
    log.start();
    return log;
  }
  /** N9: two recovery keys appoint the next generation; `replaced` gets a new durable key. All masters must be down. */
  recover(at: { readonly height: bigint; readonly stateRoot: string }, replaced?: number): void {
    const { generation } = committeeOf(this.genesis);
    const next = generation + 1n;
    if (replaced !== undefined) this.keys[replaced] = 10 + Number(next);
    const claim = { genesis: this.genesisDigest, round: next, generation: next, ...at, keys: this.keys.map((k) => masterKey(k).publicKey) };
    const signatures = [0, 2].map((key) => ({ key, signature: sign(recoveryKeys[key]!.seed, recoveryMessage(claim)) }));
    const seats = this.keys.map((key, master) => {
      const { seed, publicKey } = masterKey(key);
      return signSeat(seed, this.genesisDigest, {
        generation: next,
        master,
        publicKey,
        tlsAuthority: 'new',
        rewardAddress: `0x${'a'.repeat(64)}`,
      });
    });
    this.#links.push({ claim, signatures, seats });
    this.genesis = succeeded(this.#origin, this.#links);
  }
  /** G5, P5: the file with these links is given to masters that start from then on; `replaced` has the key of this number. */
  handOver(links: Succession, replaced: number, key: number): void {
    this.keys[replaced] = key;
    this.#links.push(...links.slice(this.#links.length));
    this.genesis = succeeded(this.#origin, this.#links);
  }
  startAll(): void {
    for (const i of [0, 1, 2]) this.start(i);
  }
  async stop(index: number): Promise<void> {
    const member = this.members[index];
    this.members[index] = undefined;
    await member?.stop();
  }
  log(index: number): MinbftLog {
    const member = this.members[index];
    if (!member) throw new RangeError(`master ${index} is not up`);
    return member.log;
  }
  async stopAll(): Promise<void> {
    await Promise.all([0, 1, 2].map((i) => this.stop(i)));
  }
}
