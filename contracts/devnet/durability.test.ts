import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Ed25519Account, Ed25519PrivateKey } from '@aptos-labs/ts-sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { publishPackage } from '../toolchain/publish.ts';
import { fund } from './api/faucet.ts';
import { fromHex, hex } from './bytes.ts';
import { openChain } from './chain.ts';
import type { Chain } from './chain.ts';
import { bundleDevnet } from './bundle.ts';
import { call, framework, fundedAccount, sdkFor } from './testing/devnet.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const sample = fileURLToPath(new URL('sample', import.meta.url));

let folder: string;
const children = new Set<ChildProcess>();
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'scs-devnet-'));
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  await rm(folder, { recursive: true, force: true });
});

type Started = { readonly child: ChildProcess; readonly url: string; readonly line: string };

/** The devnet as a process of its own, as `make devnet` and the image start it. */
const launch = async (file: string, more: readonly string[], env: NodeJS.ProcessEnv): Promise<Started> => {
  const child = spawn(process.execPath, [file, '--listen', '127.0.0.1:0', '--data', path.join(folder, 'data'), ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  children.add(child);
  const lines = createInterface({ input: child.stdout });
  const failed = once(child, 'exit').then((): never => {
    throw new Error('The devnet ended before it listened');
  });
  const [line] = await Promise.race([once(lines, 'line'), failed]);
  failed.catch(() => undefined);
  const text = String(line);
  return { child, line: text, url: /http:\/\/[^/]+/.exec(text)?.[0] ?? '' };
};
const start = (...more: string[]): Promise<Started> => launch(main, more, process.env);
const stop = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  children.delete(child);
};

test('killed at any time, it comes back with everything that was committed', async () => {
  const first = await start();
  expect(first.line).toMatch(/^devnet, not Aptos: .* at block 0, version 0/);
  const aptos = sdkFor(first.url);
  const alice = await fundedAccount(aptos);
  const address = alice.accountAddress.toString();
  await publishPackage(aptos, alice, sample, { sample: address });
  await call(aptos, alice, { function: `${address}::jar::mint`, functionArguments: [77] });
  const done = await call(aptos, alice, { function: `${address}::jar::put`, functionArguments: [50, 'x'] });
  await stop(first.child, 'SIGKILL');

  const second = await start();
  const again = sdkFor(second.url);
  expect(second.line).toContain(`version ${done.version}.`);
  expect(await again.getTransactionByHash({ transactionHash: done.hash })).toEqual(done);
  expect(await again.view({ payload: { function: `${address}::jar::count` } })).toEqual(['1']);
  expect(await call(again, alice, { function: `${address}::jar::put`, functionArguments: [27, 'y'] })).toMatchObject({
    success: true,
    sequence_number: '3',
  });
  await stop(second.child, 'SIGTERM');
});

test('a second process on the same data fails at once', async () => {
  const first = await start();
  await expect(start()).rejects.toThrow('ended before it listened');
  await stop(first.child, 'SIGTERM');
});

test('the bundle of the image runs without compiler, sources and packages', async () => {
  const bundle = path.join(folder, 'image');
  await bundleDevnet(bundle);
  const env = {
    PATH: process.env['PATH'],
    SCS_MOVE_LIBRARY_DIR: path.join(bundle, 'lib'),
    SCS_DEVNET_FRAMEWORK: path.join(bundle, 'framework.json'),
  };
  const { child, url } = await launch(path.join(bundle, 'devnet.mjs'), ['--no-faucet'], env);
  expect(await (await fetch(`${url}/v1`)).json()).toMatchObject({ git_hash: 'devnet-not-aptos' });
  expect((await fetch(`${url}/fund`, { method: 'POST', body: '{}' })).status).toBe(404);
  expect((await fetch(`${url}/v1/devnet/advance_time`, { method: 'POST', body: '{"seconds":1}' })).status).toBe(404);
  await stop(child, 'SIGTERM');
});

test('data of another chain is refused', async () => {
  const chain = await openChain({ chainId: 4, framework, dataDir: folder });
  chain.close();
  await expect(openChain({ chainId: 5, framework, dataDir: folder })).rejects.toThrow('The data is of chain 4, not 5');
});

const atRest = async (chain: Chain, hash: string): Promise<void> => chain.wait(fromHex(hash) ?? new Uint8Array());

test('X1: the same transactions at the same times give the same state root', async () => {
  const signer = new Ed25519Account({ privateKey: new Ed25519PrivateKey(new Uint8Array(32).fill(7)) });
  const run = async (): Promise<string[]> => {
    let now = 1_800_000_000_000;
    const chain = await openChain({ chainId: 9, framework, clock: () => (now += 5) });
    const roots: string[] = [];
    for (const amount of [500_000_000n, 3n]) {
      await atRest(chain, fund(chain, signer.accountAddress.toUint8Array(), amount));
      roots.push(hex(chain.store.stateRoot()), hex(chain.tip().hash));
    }
    chain.close();
    return roots;
  };
  const [one, two] = [await run(), await run()];
  expect(one).toEqual(two);
  expect(new Set(one).size).toBe(4);
});
