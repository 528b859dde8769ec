/** A dispatched task over three Vaults, with real gRPC, TLS, sealing and rules; enclaves run in this process. For tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { credentials, status } from '@grpc/grpc-js';
import { encodeGenesis, type Genesis } from '@scs/protocol';
import { aGenesis, chipOf, enterprises, MEASUREMENT, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { actorKey, digestOf, masterKey } from '@scs/protocol/testing/keys.ts';
import { aTask, type TaskBuilder } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { createMasters, Enclave, generateSealKey, grpcClient, VaultNode, type MastersPort, type SealKeyPair } from '@scs/proto';
import { createAuthority, issue } from '@scs/proto/authority.ts';
import { authoritiesOf, clientCredentials, enterpriseIdentity, masterIdentity, type TlsFiles } from '@scs/proto/tls.ts';
import { runAggregator } from '../aggregator.ts';
import { simulatedTee, type Tee } from '../attest.ts';
import type { Clock } from '../clock.ts';
import { generateKeys, type EnclaveKeys } from '../keys.ts';
import { serveExecutor } from '../local-server.ts';
import type { Ending, Phase, Session } from '../session.ts';
import { runSlice } from '../slice.ts';
import { followTask } from '../task-view.ts';
import { WarmSnapshot } from '../warm-snapshot.ts';
import { WorkDesk } from '../work-desk.ts';
import { MastersServer } from './masters-server.ts';
import { VaultServer } from './vault-server.ts';

const notBefore = new Date(Date.UTC(2026, 0, 1));

/** Short waits pass at once; the slow poll never comes, so that nothing but events moves a test. */
export const eagerClock: Clock = {
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      if (ms < 10_000) return void setImmediate(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
    }),
};

export interface Running {
  readonly keys: EnclaveKeys;
  readonly ended: Promise<Ending>;
  readonly phases: Phase[];
  stop(): Promise<void>;
  /** What the executor was told last; for slices. */
  readonly executor: Promise<string>;
}
interface RunningSlice extends Running {
  readonly scratch: string;
}
interface Overrides {
  readonly tee?: Tee;
  /** Exact cells that the executor finds, by content of the snapshot. */
  readonly cells?: (snapshot: string) => readonly bigint[] | Promise<readonly bigint[]>;
  /** Who is in the audience. */
  readonly audience?: Uint8Array;
  /** No executor comes. */
  readonly idle?: boolean;
  /** Scratch of a sidecar that was stopped in the same pod. */
  readonly scratch?: string;
}

/** Like the real executor, but that it knows the answer. Gives the last code it was told. */
const executor = async (
  socket: string,
  cells: NonNullable<Overrides['cells']>,
  audience: Uint8Array,
  signal: AbortSignal,
): Promise<string> => {
  const client = grpcClient(Enclave, `unix:${socket}`, credentials.createInsecure());
  try {
    for (;;) {
      const work = await client.getWork({}, { timeoutMs: 60_000, signal });
      const snapshot = await readFile(work.snapshot, 'utf8');
      await readFile(work.eligible);
      const found = await cells(snapshot);
      const reply = await client.finish(
        { cells: found.map(String), audience, program: digestOf('executor'), round: work.round },
        { timeoutMs: 60_000, signal },
      );
      if (reply.code !== 'RunAgain') return reply.released ? 'Released' : reply.code;
    }
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !('details' in error)) throw error;
    return error.code === status.ALREADY_EXISTS ? 'AlreadyReleased' : `refused: ${String(error.details)}`;
  } finally {
    client.close();
  }
};

export class TestGroup implements AsyncDisposable {
  readonly world: World;
  readonly server: MastersServer;
  readonly vaults: ReadonlyMap<string, VaultServer>;
  readonly uid: string;
  readonly resultKey: SealKeyPair;
  /** All that the enclaves logged. */
  readonly logs: string[] = [];
  readonly #addresses: { readonly masters: readonly string[]; readonly vaults: ReadonlyMap<string, string> };
  readonly #tls: ReadonlyMap<string, TlsFiles>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'scs-enclave-'));
  readonly #running: Running[] = [];

  private constructor(
    parts: Pick<TestGroup, 'world' | 'server' | 'vaults' | 'uid' | 'resultKey'>,
    addresses: { readonly masters: readonly string[]; readonly vaults: ReadonlyMap<string, string> },
    tls: ReadonlyMap<string, TlsFiles>,
  ) {
    this.world = parts.world;
    this.server = parts.server;
    this.vaults = parts.vaults;
    this.uid = parts.uid;
    this.resultKey = parts.resultKey;
    this.#addresses = addresses;
    this.#tls = tls;
  }

  static async start(
    shape: (task: TaskBuilder) => TaskBuilder = (task) => task,
    alter: (genesis: Genesis) => Genesis = (genesis) => genesis,
  ): Promise<TestGroup> {
    const { genesis, tls } = await certified(alter(aGenesis()));
    const world = World.ready(genesis);
    const resultKey = await generateSealKey();
    const uid = world.submit(shape(aTask().with({ resultKey: resultKey.publicKey })));
    world.runTo(uid, 'dispatched');
    const server = new MastersServer(world);
    const vaults = new Map(vaultNames.map((vault) => [vault, new VaultServer(vault, server)]));
    const masters = await server.listen([0, 1, 2].map((i) => tls.get(masterIdentity(i))!));
    const vaultAddresses = new Map<string, string>();
    for (const [name, vault] of vaults) vaultAddresses.set(name, await vault.listen(tls.get(identityOf(name))!));
    return new TestGroup({ world, server, vaults, uid, resultKey }, { masters, vaults: vaultAddresses }, tls);
  }

  /** For enclaves in processes of their own: files in `folder`, and the environment that names them. */
  place(folder: string, enterprise: string, vault?: string): Record<string, string> {
    const tls = this.#tls.get(enterpriseIdentity(actorKey(enterprise).address))!;
    const at = (name: string): string => join(folder, name);
    writeFileSync(at('genesis.bin'), encodeGenesis(this.world.genesis));
    writeFileSync(at('tls.crt'), tls.certificatePem);
    writeFileSync(at('tls.key'), tls.keyPem, { mode: 0o600 });
    writeFileSync(at('chip.json'), JSON.stringify(chipOf(enterprise)), { mode: 0o600 });
    return {
      SCS_TASK: this.uid,
      SCS_GENESIS: at('genesis.bin'),
      SCS_TLS: folder,
      SCS_CHIP: at('chip.json'),
      SCS_MASTERS: this.#addresses.masters.join(','),
      SCS_TERMINATION_LOG: at('termination'),
      SCS_HEALTH_LISTEN: '127.0.0.1:0',
      ...(vault !== undefined && { SCS_VAULT_ADDRESS: this.#addresses.vaults.get(vault)! }),
    };
  }

  /** The masters' client of an enterprise. */
  #masters(identity: string): MastersPort {
    const { genesis, genesisDigest } = this.world;
    return createMasters({ addresses: this.#addresses.masters, tls: this.#tls.get(identity)!, genesis, genesisDigest, backoffMs: 1 });
  }

  async #session(role: Session['role'], subject: string, enterprise: string, tee: Tee, stop: AbortController, phases: Phase[]) {
    const { genesis, genesisDigest } = this.world;
    const masters = this.#masters(enterpriseIdentity(actorKey(enterprise).address));
    const write = (fields: object, message: string) => void this.logs.push(JSON.stringify({ ...fields, message }));
    const log = { info: write, warn: write };
    const signal = stop.signal;
    const { view, ended } = followTask({ masters, task: this.uid, clock: eagerClock, log, signal });
    const keys = await generateKeys();
    const enter = (phase: Phase): void => {
      phases.push(phase);
      this.server.changes.announce();
    };
    const session: Session = {
      role,
      task: this.uid,
      subject,
      genesis,
      genesisDigest,
      masters,
      tee,
      keys,
      view,
      clock: eagerClock,
      log,
      signal,
      enter,
    };
    const close = async (): Promise<void> => {
      stop.abort();
      masters.close();
      await ended;
    };
    return { session, close };
  }

  async slice(
    vault: string,
    { tee, cells = () => [100n, 50n, 3n], audience = new Uint8Array(), idle = false, scratch: before }: Overrides = {},
  ): Promise<RunningSlice> {
    const enterprise = vault.split('/')[0]!;
    const stop = new AbortController();
    const phases: Phase[] = [];
    const { genesis } = this.world;
    const { session, close } = await this.#session(
      'slice',
      vault,
      enterprise,
      tee ?? simulatedTee(genesis, chipOf(enterprise), MEASUREMENT),
      stop,
      phases,
    );
    const desk = new WorkDesk(1);
    const scratch = before ?? mkdtempSync(join(this.#folder, 'slice-'));
    const socket = join(scratch, 'enclave.sock');
    const local = await serveExecutor(desk, socket);
    const files = this.#tls.get(identityOf(vault))!;
    const connectVault = (address: string) =>
      grpcClient(
        VaultNode,
        this.#addresses.vaults.get(vault)!,
        clientCredentials(files, authoritiesOf(genesis), enterpriseIdentity(address)),
      );
    const ended = runSlice({ ...session, desk, connectVault, scratch, warm: new WarmSnapshot(scratch), executorMemoryBytes: 100_000_000n });
    const running: RunningSlice = {
      keys: session.keys,
      ended,
      phases,
      scratch,
      executor: idle ? Promise.resolve('idle') : executor(socket, cells, audience, stop.signal),
      stop: async () => {
        stop.abort();
        await Promise.allSettled([ended]);
        await local.close();
        await close();
      },
    };
    this.#running.push(running);
    return running;
  }

  /** An aggregator's enclave of the enterprise that aggregates now. */
  async aggregator({ tee }: Overrides = {}): Promise<Running> {
    const { address, name } = this.world.aggregator(this.uid);
    const stop = new AbortController();
    const phases: Phase[] = [];
    const chosen = tee ?? simulatedTee(this.world.genesis, chipOf(name), MEASUREMENT);
    const { session, close } = await this.#session('aggregator', address, name, chosen, stop, phases);
    const ended = runAggregator(session);
    const running: Running = {
      keys: session.keys,
      ended,
      phases,
      executor: Promise.resolve('none'),
      stop: async () => {
        stop.abort();
        await Promise.allSettled([ended]);
        await close();
      },
    };
    this.#running.push(running);
    return running;
  }

  /** Resolves once `holds` does; looked at whenever anything changes. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.server.changes.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop()));
    for (const vault of this.vaults.values()) vault.close();
    this.server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const identityOf = (vault: string): string => enterpriseIdentity(actorKey(vault.split('/')[0]!).address);

/** The genesis with TLS authorities, and everybody's TLS files. */
const certified = async (genesis: Genesis): Promise<{ genesis: Genesis; tls: ReadonlyMap<string, TlsFiles> }> => {
  const tls = new Map<string, TlsFiles>();
  const authorize = async (seed: string, identity: string): Promise<string> => {
    const authority = await createAuthority(seed, identity, notBefore, 50);
    tls.set(identity, await issue(authority, seed, identity, notBefore, 50));
    return authority.certificatePem;
  };
  const masters = await Promise.all(
    genesis.masters.map(async (m, i) => ({ ...m, tlsAuthority: await authorize(masterKey(i).seed, masterIdentity(i)) })),
  );
  const actors = await Promise.all(
    genesis.actors.map(async (actor) => {
      if (!actor.enterprise || !enterprises.some((name) => name === actor.name)) return actor;
      const tlsAuthority = await authorize(actorKey(actor.name).seed, enterpriseIdentity(actor.address));
      return { ...actor, enterprise: { ...actor.enterprise, tlsAuthority } };
    }),
  );
  return { genesis: { ...genesis, masters, actors }, tls };
};
