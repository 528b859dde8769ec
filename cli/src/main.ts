#!/usr/bin/env node
/** kubectl-symphony: the plugin. `kubectl symphony help` lists the commands. */
import { Console } from 'node:console';
import { text } from 'node:stream/consumers';
import { run } from './run.ts';

// Standard output is for answers alone: `-o json` is read by scripts, and libraries like to talk.
globalThis.console = new Console(process.stderr);

// `| head` closes the pipe: no fault.
process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
  if (cause.code !== 'EPIPE') throw cause;
  process.exit(0);
});
// The Aptos SDK chats through console.info; stdout is for results, stderr for problems.
console.info = () => undefined;
const abort = new AbortController();
process.once('SIGINT', () => abort.abort());
process.once('SIGTERM', () => abort.abort());
const exitCode = await run(process.argv.slice(2), {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  environment: process.env,
  now: () => new Date(),
  signal: abort.signal,
  input: () => text(process.stdin),
});

// A call that was cut off may still hold its socket: an interrupted process doesn't wait for it.
if (abort.signal.aborted) process.exit(130);
process.exitCode = exitCode;
