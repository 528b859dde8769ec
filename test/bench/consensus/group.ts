/** Three replicas and three counters as processes on the loopback address, with mutual TLS and synced disks. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { grpcClient, Masters, type GrpcClient } from '@scs/proto';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { authoritiesOf, clientCredentials, masterIdentity } from '@scs/proto/tls.ts';
import { encodeGenesis, type Genesis } from '@scs/protocol';
import { aGenesis, aPolicy } from '@scs/protocol/testing/genesis.ts';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { freePorts } from '../../cluster/ports.ts';
import { CounterProcess, counterMeasurement } from '../../integration/masters/counter-process.ts';
import type { ReplicaSettings } from './replica.ts';

const program = resolve(import.meta.dirname, 'replica.ts');

const makeGenesis = async (): Promise<{ genesis: Genesis; tls: readonly TlsIdentity[] }> => {
  const from = new Date(Date.now() - 60_000);
  const policy = aPolicy();
  const measurements = [...policy.enclave.measurements, counterMeasurement()];
  const base = aGenesis({ time: Date.now() - 1_000, policy: { ...policy, enclave: { ...policy.enclave, measurements } } });
  const made = await Promise.all(
    base.masters.map(async (m, i) => {
      const { seed } = masterKey(i);
      const authority = await createAuthority(seed, masterIdentity(i), from, 1);
      return { master: { ...m, tlsAuthority: authority.certificatePem }, tls: await issue(authority, seed, masterIdentity(i), from, 1) };
    }),
  );
  return { genesis: { ...base, masters: made.map(({ master }) => master) }, tls: made.map(({ tls }) => tls) };
};

export class ReplicaGroup {
  readonly #folder = mkdtempSync(join(tmpdir(), 'scs-agreement-'));
  readonly #children: (ChildProcess | undefined)[] = [];
  readonly counters: CounterProcess[] = [];
  readonly clients: GrpcClient<typeof Masters>[] = [];

  static async start(batchCommands: number): Promise<ReplicaGroup> {
    const group = new ReplicaGroup();
    const [ports, { genesis, tls }] = await Promise.all([freePorts(9), makeGenesis()]);
    const at = (port: number): string => `127.0.0.1:${ports[port]}`;
    const file = join(group.#folder, 'genesis.bin');
    writeFileSync(file, encodeGenesis(genesis));
    for (const index of [0, 1, 2]) {
      const counter = await CounterProcess.make(group.#folder, genesis, index, ports[6 + index]!);
      counter.start();
      group.counters.push(counter);
      const settings: ReplicaSettings = {
        index,
        folder: group.#folder,
        genesis: file,
        tls: tls[index]!,
        peers: [0, 1, 2].map(at),
        submit: at(3 + index),
        counter: counter.address,
        batchCommands,
      };
      writeFileSync(group.#settings(index), JSON.stringify(settings));
      group.startReplica(index);
      group.clients.push(grpcClient(Masters, at(3 + index), clientCredentials(tls[0]!, authoritiesOf(genesis), masterIdentity(index))));
    }
    return group;
  }
  #settings(index: number): string {
    return join(this.#folder, `settings-${index}.json`);
  }

  startReplica(index: number): void {
    this.#children[index] = spawn(process.execPath, [program, this.#settings(index)], { stdio: ['ignore', 'inherit', 'inherit'] });
  }
  /** At once, as when the power goes. */
  async killReplica(index: number): Promise<void> {
    const child = this.#children[index];
    this.#children[index] = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  /** Stops it where it stands, or lets it go on. */
  pause(index: number, paused: boolean): void {
    this.#children[index]?.kill(paused ? 'SIGSTOP' : 'SIGCONT');
  }
  async primary(asked: number): Promise<number | undefined> {
    const { master } = await this.clients[asked]!.status({});
    return master === 99 ? undefined : master;
  }
  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await Promise.all([...[0, 1, 2].map((i) => this.killReplica(i)), ...this.counters.map((c) => c.kill())]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
