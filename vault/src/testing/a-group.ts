/** For tests: masters that apply the real rules in memory, certify with two keys, and may be made to fail; and the Vault's context. */
import {
  decideMessage,
  decodeCommand,
  encodeCommand,
  hex,
  sign,
  VaultSpec,
  type CertifiedLeaf,
  type Command,
  type Genesis,
} from '@scs/protocol';
import { aGenesis, aPolicy } from '@scs/protocol/testing/genesis.ts';
import { actorKey, masterKey } from '@scs/protocol/testing/keys.ts';
import { anOffer, registerCommand } from '@scs/protocol/testing/statements.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { MastersUnavailable, type MastersPort } from '@scs/proto';
import type { ReleaseContext } from '../release.ts';
import type { VaultStore } from '../store/vault-store.ts';

export const OURS = 'alder/shoppers';
export const ENTERPRISE = actorKey('alder').address;
export const ROASTERY = actorKey('roastery').address;

/** Genesis in which one task may ask for a lot, with room for `tasks` of epsilon 0.5. */
export const genesisFor = (tasks: number): Genesis => {
  const policy = aPolicy();
  const limit = 125_000n * 3n * BigInt(tasks);
  return aGenesis({
    policy: {
      ...policy,
      privacy: { ...policy.privacy, subjectLimitMicroRho: { personal: limit, marketing: limit, analytics: limit, training: limit } },
    },
  });
};

export const manifestOf = (more: object = {}): VaultSpec =>
  VaultSpec.parse({
    enterprise: ENTERPRISE,
    domains: [{ name: 'retail.purchase', usages: ['marketing', 'analytics'], classes: ['query'] }],
    actors: [ROASTERY],
    sizeBand: 1,
    ...more,
  });

/** The masters' port over one World. Each decided command is a block. */
export class WorldMasters implements MastersPort {
  readonly world: World;
  readonly submitted: Command[] = [];
  /** Called before each call; throw to be unreachable. */
  before: (call: string) => void = () => undefined;
  /** Called after a command was decided, before its reply: throw to lose the reply. */
  after: (command: Command) => void = () => undefined;
  readonly #listeners = new Set<() => void>();

  constructor(world: World) {
    this.world = world;
  }

  leaf(key: string): CertifiedLeaf | undefined {
    const { map } = this.world.state;
    const value = map.get(key);
    const path = map.prove(key);
    if (!value || !path) return undefined;
    const { block, height } = this.world.state.must('meta');
    const head = { genesis: this.world.genesisDigest, generation: 0n, height, stateRoot: hex(map.root()), block };
    const votes = [0, 1].map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) }));
    return { key, value: hex(value), siblings: path.siblings.map(hex), certificate: { head, votes } };
  }
  async submit(command: Command) {
    this.before(`submit ${command.type}`);
    const read = decodeCommand(encodeCommand(command));
    this.submitted.push(read);
    const applied = this.world.try(read);
    if (!applied.ok) return { ok: false as const, code: applied.fault.code, message: applied.fault.message };
    this.world.block(read);
    this.world.followUp();
    for (const listener of this.#listeners) listener();
    this.after(read);
    return Promise.resolve({ ok: true as const, height: this.world.height });
  }
  async getLeaf(key: string): Promise<CertifiedLeaf | undefined> {
    this.before(`leaf ${key.split('/')[0]!}`);
    return Promise.resolve(this.leaf(key));
  }
  /** Tells watchers that the world has moved on by itself. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }
  async *watchTasks({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<CertifiedLeaf, void> {
    const seen = new Map<string, string>();
    let wake = Promise.withResolvers<void>();
    const listener = (): void => wake.resolve();
    this.#listeners.add(listener);
    signal.addEventListener('abort', listener, { once: true });
    while (!signal.aborted) {
      for (const [key, value] of this.world.state.map.entries()) {
        if (!key.startsWith('task/') || seen.get(key) === hex(value)) continue;
        seen.set(key, hex(value));
        yield this.leaf(key)!;
      }
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
    this.#listeners.delete(listener);
  }
  putBlob(): Promise<string> {
    return Promise.reject(new MastersUnavailable('blobs', undefined));
  }
  getBlob(): Promise<Uint8Array | undefined> {
    return Promise.reject(new MastersUnavailable('blobs', undefined));
  }
  close(): void {
    this.#listeners.clear();
  }
}

/** Vaults that the builders answer for. */
export const OTHERS = ['birch/shoppers', 'cedar/shoppers'];

/** A world in which our Vault is the store's, and the two others are the builders' own. */
export const aGroup = (
  store: VaultStore,
  genesis: Genesis = genesisFor(4),
  manifest: VaultSpec = manifestOf(),
): { readonly masters: WorldMasters; readonly context: ReleaseContext & { readonly masters: WorldMasters } } => {
  const world = new World(genesis);
  const { publicKey, noiseKeyCommitment } = store.keys;
  world.block(
    ...[anOffer(OURS, { publicKey, noiseKeyCommitment }), ...OTHERS.map((v) => anOffer(v))].map((o) => registerCommand(world, o)),
  );
  world.fund('roastery', '1000000');
  world.observe();
  const masters = new WorldMasters(world);
  return { masters, context: { store, masters, genesis, genesisDigest: world.genesisDigest, manifest } };
};
