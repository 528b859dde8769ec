/** The other end of the local door: what `kubectl exec ... main.js import` runs beside the serving process. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MAX_FILE_BYTES } from '../import/staging.ts';
import { socketPath, type Outcome } from './socket.ts';

export interface ImportArguments {
  /** The Vault's data folder. */
  readonly data: string;
  readonly kind: 'records' | 'consents';
  readonly domain?: string;
  readonly format: 'parquet' | 'csv';
  readonly input: Readable;
  readonly say: (line: string) => void;
}

/** Asks the serving process; lines of progress go to `say`. Rejects when none serves. */
const ask = (data: string, path: string, body: string | undefined, say: (line: string) => void): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const cut = (): void => reject(new Error('the Vault ended the connection before it was done; run it again'));
    const request = http.request({ socketPath: socketPath(data), path, method: 'POST' }, (response) => {
      let last: string | undefined;
      const lines = createInterface({ input: response });
      lines.on('line', (line) => {
        if (last !== undefined) say(last);
        last = line;
      });
      lines.on('close', () => (last?.startsWith('{"ok":') ? resolve(JSON.parse(last) as Outcome) : cut()));
      response.on('error', cut);
    });
    request.on('error', (error) => reject(new Error('no Vault serves here: is the pod up?', { cause: error })));
    request.end(body);
  });

const bounded = (limit: number): Transform => {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > limit) done(new Error(`the file has more than ${limit} bytes; split it`));
      else done(null, chunk);
    },
  });
};

/** Stores the input beside the Vault, has it imported, and removes it. */
export const importFrom = async ({ data, kind, domain, format, input, say }: ImportArguments): Promise<Outcome> => {
  const file = randomUUID();
  const path = join(data, 'incoming', file);
  try {
    say('receiving the file');
    await pipeline(input, bounded(MAX_FILE_BYTES), createWriteStream(path, { mode: 0o600 }));
    const query = new URLSearchParams({ file, format, ...(domain !== undefined && { domain }) });
    return await ask(data, `/${kind}?${query.toString()}`, undefined, say);
  } finally {
    await rm(path, { force: true });
  }
};
/** What is done for one subject. */
export const actFor = (data: string, what: 'consent' | 'erase' | 'subject' | 'key', body: object): Promise<Outcome> =>
  ask(data, `/${what}`, JSON.stringify(body), () => undefined);
/** What is done for the Vault itself; lines of progress go to `say`. */
export const keepUp = (
  data: string,
  what: 'backup' | 'backups' | 'rotate-key' | 'imports' | 'audiences',
  say: (line: string) => void,
): Promise<Outcome> => ask(data, `/${what}`, undefined, say);
/** T1: activates a kept audience; progress goes to `say`. */
export const activateFrom = (data: string, body: { task: unknown; message: unknown }, say: (line: string) => void): Promise<Outcome> =>
  ask(data, '/activate', JSON.stringify(body), say);
