/**
 * The local door to the log (rule X1): HTTP over a Unix socket of mode 0600 on the master's own volume, so that whoever may exec
 * into the pod can hand the log to `kubectl symphony replay`. Reading only; a slow reader is waited for, not buffered for.
 *
 *   GET /blocks?from=<height>    lines of canonical JSON, {"block":...,"certificate":...}, from the archive and the live log, up to the
 *                                last decided block; 410 and a sentence when some of them are not here
 */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { decodeBlock, encodeLogged } from '@scs/protocol';
import { errorFields, type Logger } from '../../kube/logger.ts';
import type { Heights } from './archive/archive-index.ts';
import type { StoredBlock } from './disk.ts';

export const logSocket = (data: string): string => join(data, 'log.sock');

const READERS = 4;
const NEWLINE = '\n';

/** Where the log is read from: see `Archive`. */
export interface LogSource {
  blocks(from: bigint): AsyncIterable<StoredBlock>;
  /** The first heights from this one on that are nowhere here, though later ones are. */
  hole(from: bigint): Heights | undefined;
}

const lines = async function* (log: LogSource, from: bigint): AsyncIterable<Uint8Array | string> {
  for await (const { bytes, certificate } of log.blocks(from)) {
    yield encodeLogged({ block: decodeBlock(bytes), certificate });
    yield NEWLINE;
  }
};

const serve = async (log: LogSource, request: http.IncomingMessage, reply: http.ServerResponse): Promise<void> => {
  const from = /^\/blocks\?from=(\d{1,18})$/.exec(request.url ?? '')?.[1];
  if (request.method !== 'GET' || from === undefined) return void reply.writeHead(404).end();
  const hole = log.hole(BigInt(from));
  if (hole)
    return void reply
      .writeHead(410)
      .end(`blocks ${hole.first} to ${hole.last} are not here: this master fetches them from the others; ask another one, or later`);
  reply.writeHead(200, { 'content-type': 'application/jsonl' });
  await pipeline(lines(log, BigInt(from)), reply);
};

/** Rejects when the socket can't be made. */
export const serveLog = async (data: string, log: LogSource, logger: Logger): Promise<{ close(): Promise<void> }> => {
  const path = logSocket(data);
  const server = http.createServer((request, reply) => {
    serve(log, request, reply).catch((thrown: unknown) => {
      logger.warn(errorFields(thrown), 'a reader of the log went away');
      reply.destroy();
    });
  });
  server.maxConnections = READERS;
  await rm(path, { force: true }); // left by a process that was killed
  server.listen(path);
  await once(server, 'listening');
  await chmod(path, 0o600);
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** What `main.js log` does: the log of the master that runs beside it, to `out`. Rejects with a sentence when there is none. */
export const printLog = async (data: string, from: bigint, out: NodeJS.WritableStream): Promise<void> => {
  const request = http.get({ socketPath: logSocket(data), path: `/blocks?from=${from}` });
  const [reply] = (await once(request, 'response').catch((cause: unknown) => {
    throw new Error(`no master runs here: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  })) as [http.IncomingMessage];
  if (reply.statusCode === 410) throw new Error(await text(reply));
  if (reply.statusCode !== 200) throw new Error(`the master answered ${reply.statusCode}`);
  await pipeline(reply, out, { end: false });
};
