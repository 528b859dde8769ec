/** CometBFT 1.0 with four validators and its kvstore application: one may be Byzantine, as of our three. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { until } from '../../cluster/api.ts';
import { logTail, startDaemon, stopProcess, type ProcessRecord } from '../../cluster/daemon.ts';
import { freePorts } from '../../cluster/ports.ts';
import { run } from '../../cluster/run.ts';
import { quantile } from '../figures.ts';
import { ensureCometbft } from './peer-tools.ts';
import { COMMAND_BYTES, type Load, type Outcome, type Peer } from './peer.ts';

const VALIDATORS = 4;

const Committed = z.object({ result: z.object({ tx_result: z.object({ code: z.int().optional() }), height: z.string() }) });

/** A transaction of the kvstore application, `key=value`, each of its own. */
const transaction = (number: number): string =>
  Buffer.from(`${String(number).padStart(12, '0')}=`.padEnd(COMMAND_BYTES, 'x')).toString('base64');

const commit = async (url: string, number: number): Promise<void> => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_commit', params: { tx: transaction(number) } });
  const answer = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(30_000) });
  const { result } = Committed.parse(await answer.json());
  if (result.height === '0' || (result.tx_result.code ?? 0) !== 0) throw new Error(`CometBFT refused transaction ${number}`);
};

interface Node {
  readonly name: string;
  readonly rpc: string;
}

/** `timeoutCommit`: how long a validator waits after a block for late votes; 1 s by default, and the least time between blocks. */
export const startCometbft = async (timeoutCommit: string): Promise<Peer> => {
  const program = await ensureCometbft();
  const folder = mkdtempSync(join(tmpdir(), 'cometbft-bench-'));
  await run(program, ['testnet', '--v', String(VALIDATORS), '--o', folder], { timeoutMs: 60_000 });
  const ports = await freePorts(2 * VALIDATORS);
  const processes: ProcessRecord[] = [];
  const stop = async (): Promise<void> => {
    for (const process of processes) await stopProcess(folder, process, 5_000);
    rmSync(folder, { recursive: true, force: true });
  };
  const nodes: Node[] = [];
  for (let i = 0; i < VALIDATORS; i++) {
    const name = `node${i}`;
    const file = join(folder, name, 'config', 'config.toml');
    const text = readFileSync(file, 'utf8')
      .replaceAll(/@node(\d):26656/g, (_, n: string) => `@127.0.0.1:${ports[Number(n)]}`)
      .replace('laddr = "tcp://0.0.0.0:26656"', `laddr = "tcp://127.0.0.1:${ports[i]}"`)
      .replace(/laddr = "tcp:\/\/[\d.]+:26657"/, `laddr = "tcp://127.0.0.1:${ports[VALIDATORS + i]}"`)
      .replace('timeout_commit = "1s"', `timeout_commit = "${timeoutCommit}"`)
      .replace('timeout_broadcast_tx_commit = "10s"', 'timeout_broadcast_tx_commit = "30s"')
      .replace('max_subscription_clients = 100', 'max_subscription_clients = 4000')
      .replace('log_level = "info"', 'log_level = "error"');
    writeFileSync(file, text);
    nodes.push({ name, rpc: `http://127.0.0.1:${ports[VALIDATORS + i]}` });
    const args = ['start', '--home', join(folder, name), '--proxy_app', 'kvstore'];
    processes.push(await startDaemon(folder, { name, command: program, args }, true));
  }
  let next = 0;
  await until(
    'CometBFT to commit',
    () =>
      commit(nodes[0]!.rpc, next++).then(
        () => true,
        () => undefined,
      ),
    { timeoutMs: 60_000, everyMs: 500 },
  ).catch(async (error: unknown) => {
    const tail = logTail(folder, 'node0');
    await stop();
    throw new Error(`CometBFT did not start:\n${tail}`, { cause: error });
  });

  const load = async ({ inFlight, commands }: Load): Promise<Outcome> => {
    const times: number[] = [];
    const end = next + commands;
    const client = async (index: number): Promise<void> => {
      const { rpc } = nodes[index % VALIDATORS]!;
      while (next < end) {
        const begun = performance.now();
        await commit(rpc, next++);
        times.push(performance.now() - begun);
      }
    };
    const begun = performance.now();
    await Promise.all(Array.from({ length: inFlight }, (_, i) => client(i)));
    return { inFlight, commands, ms: performance.now() - begun, p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) };
  };
  return { name: `CometBFT, 4 validators, timeout_commit ${timeoutCommit}`, run: load, stop };
};
