/** The baseline: etcd with three members on the loopback address, synced writes, no TLS (its certificates need host names). Crash faults only. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { flags } from '../../cluster/components.ts';
import { freePorts } from '../../cluster/ports.ts';
import { ensureComponents } from '../../cluster/tools.ts';

const field = (number: number, bytes: Uint8Array): Buffer => {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
};
/** etcdserverpb.PutRequest: key 1, value 2. */
const putRequest = ({ key, value }: { readonly key: string; readonly value: Uint8Array }): Buffer =>
  Buffer.concat([field(1, Buffer.from(key)), field(2, value)]);

export class EtcdGroup {
  readonly #folder = mkdtempSync(join(tmpdir(), 'scs-etcd-'));
  readonly #children: ChildProcess[] = [];
  readonly #clients: Client[] = [];

  static async start(): Promise<EtcdGroup> {
    const group = new EtcdGroup();
    const [tools, ports] = await Promise.all([ensureComponents(['etcd']), freePorts(6)]);
    const peer = (i: number): string => `http://127.0.0.1:${ports[i]}`;
    const client = (i: number): string => `http://127.0.0.1:${ports[3 + i]}`;
    for (const i of [0, 1, 2]) {
      const given = flags({
        name: `m${i}`,
        'data-dir': join(group.#folder, String(i)),
        'listen-client-urls': client(i),
        'advertise-client-urls': client(i),
        'listen-peer-urls': peer(i),
        'initial-advertise-peer-urls': peer(i),
        'initial-cluster': [0, 1, 2].map((m) => `m${m}=${peer(m)}`).join(','),
        'log-level': 'error',
      });
      group.#children.push(spawn(tools.path('etcd'), given, { stdio: 'ignore' }));
      group.#clients.push(new Client(`127.0.0.1:${ports[3 + i]}`, credentials.createInsecure()));
    }
    return group;
  }
  put(member: number, key: string, value: Uint8Array): Promise<void> {
    const client = this.#clients[member]!;
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + 10_000;
      client.makeUnaryRequest(
        '/etcdserverpb.KV/Put',
        putRequest,
        (bytes) => bytes,
        { key, value },
        new Metadata(),
        { deadline },
        (error) => (error ? reject(error) : resolve()),
      );
    });
  }
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(
      this.#children.map(async (child) => {
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
