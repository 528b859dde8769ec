/** etcd with three members: crash faults only. Mutual TLS between members and to clients, writes synced; its own load program. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issue, newAuthority } from '../../cluster/certificates.ts';
import { flags } from '../../cluster/components.ts';
import { logTail, startDaemon, stopProcess, type ProcessRecord } from '../../cluster/daemon.ts';
import { freePorts } from '../../cluster/ports.ts';
import { attempt, run } from '../../cluster/run.ts';
import { ensureComponents } from '../../cluster/tools.ts';
import { until } from '../../cluster/api.ts';
import { ensureEtcdBenchmark } from './peer-tools.ts';
import { COMMAND_BYTES, type Load, type Outcome, type Peer } from './peer.ts';

const MEMBERS = 3;

const writeCertificates = (folder: string): { readonly ca: string; readonly certificate: string; readonly key: string } => {
  const authority = newAuthority('etcd-bench');
  const pair = issue(authority, { user: 'etcd-bench' }, ['localhost', '127.0.0.1']);
  const files = { ca: join(folder, 'ca.crt'), certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  for (const [file, text] of [
    [files.ca, authority.certificate],
    [files.certificate, pair.certificate],
    [files.key, pair.key],
  ] as const)
    writeFileSync(file, text, { mode: 0o600 });
  return files;
};

/** What the load program prints: `Requests/sec: 1234.5`, `50% in 0.0012 secs.`, `Total: 1.2 secs.` */
const figure = (text: string, pattern: RegExp): number => {
  const found = Number(pattern.exec(text)?.[1]);
  if (!Number.isFinite(found)) throw new Error(`the load program printed no ${pattern.source}:\n${text.slice(-1000)}`);
  return found;
};

export const startEtcd = async (): Promise<Peer> => {
  const [etcd, program] = [(await ensureComponents(['etcd'])).path('etcd'), await ensureEtcdBenchmark()];
  const folder = mkdtempSync(join(tmpdir(), 'etcd-bench-'));
  const { ca, certificate, key } = writeCertificates(folder);
  const ports = await freePorts(2 * MEMBERS);
  const members = Array.from({ length: MEMBERS }, (_, i) => ({
    name: `member-${i}`,
    client: `https://127.0.0.1:${ports[2 * i]}`,
    peer: `https://127.0.0.1:${ports[2 * i + 1]}`,
  }));
  const processes: ProcessRecord[] = [];
  const stop = async (): Promise<void> => {
    for (const process of processes) await stopProcess(folder, process, 5_000);
    rmSync(folder, { recursive: true, force: true });
  };
  for (const { name, client, peer } of members) {
    mkdirSync(join(folder, name), { mode: 0o700 });
    const args = flags({
      name,
      'data-dir': join(folder, name),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': members.map((m) => `${m.name}=${m.peer}`).join(','),
      'cert-file': certificate,
      'key-file': key,
      'trusted-ca-file': ca,
      'client-cert-auth': true,
      'peer-cert-file': certificate,
      'peer-key-file': key,
      'peer-trusted-ca-file': ca,
      'peer-client-cert-auth': true,
      'log-level': 'warn',
    });
    processes.push(await startDaemon(folder, { name, command: etcd, args }, true));
  }
  const access = flags({ endpoints: members.map((m) => m.client).join(','), cacert: ca, cert: certificate, key });
  const put = (clients: number, total: number): string[] => [
    ...access,
    ...flags({ conns: Math.min(clients, 30), clients }),
    'put',
    ...flags({ total, 'key-space-size': 100_000, 'sequential-keys': true, 'val-size': COMMAND_BYTES - 8 }),
  ];
  await until(
    'etcd to take a write',
    async () => ((await attempt(program, put(1, 1), { timeoutMs: 10_000 })).stdout.includes('Requests/sec') ? true : undefined),
    { timeoutMs: 60_000, everyMs: 500 },
  ).catch(async (error: unknown) => {
    const tail = logTail(folder, 'member-0');
    await stop();
    throw new Error(`etcd did not start:\n${tail}`, { cause: error });
  });
  const load = async ({ inFlight, commands }: Load): Promise<Outcome> => {
    const text = await run(program, put(inFlight, commands), { timeoutMs: 600_000 });
    return {
      inFlight,
      commands,
      ms: figure(text, /Total:\s+([\d.]+) secs/) * 1000,
      p50Ms: figure(text, /50% in ([\d.]+) secs/) * 1000,
      p99Ms: figure(text, /99% in ([\d.]+) secs/) * 1000,
    };
  };
  return { name: 'etcd, 3 members', run: load, stop };
};
