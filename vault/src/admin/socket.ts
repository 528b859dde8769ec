/**
 * The local door: HTTP over a Unix socket of mode 0600 on the Vault's own volume. Whoever may exec into the pod as its user may
 * import files and act for subjects; nobody else. A reply streams lines of progress; its last line is JSON.
 *
 *   POST /records?domain=<d>&format=<parquet|csv>&file=<name>   file: name in the folder `incoming`, removed afterwards
 *   POST /consents?format=...&file=<name>
 *   POST /backup      POST /backups      POST /rotate-key      POST /imports
 *   POST /consent  {subject, usage, state}      POST /erase {subject}      POST /subject {subject}
 *   POST /key {subject, publicKey, remove}
 *   POST /audiences      POST /activate {task, message}
 */
import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { usages } from '@scs/protocol';
import { consentStates } from '@scs/protocol/rules/consent.ts';
import { MAX_MESSAGE } from '../activation/activate.ts';
import { ActivationError, type ActivationDoor } from '../activation/door.ts';
import { WebhookError } from '../activation/webhook.ts';
import { ImportError } from '../import/import-error.ts';
import { importConsents, importRecords } from '../import/import.ts';
import { importReports } from '../import/report.ts';
import { errorCode, type Logger } from '../logger.ts';
import { viewOf } from '../store/subject-view.ts';
import type { Upkeep } from '../upkeep.ts';
import { MAX_SUBJECT_LENGTH } from '../store/subjects.ts';
import type { VaultStore } from '../store/vault-store.ts';

export const socketPath = (data: string): string => join(data, 'admin.sock');

const subject = z.string().min(1).max(MAX_SUBJECT_LENGTH);
const Consent = z.strictObject({ subject, usage: z.enum(usages), state: z.enum(consentStates) });
const Subject = z.strictObject({ subject });
const Key = z.strictObject({ subject, publicKey: z.string().regex(/^[0-9a-f]{64}$/), remove: z.boolean() });
const Activate = z.strictObject({ task: z.string().min(1).max(64), message: z.string().min(1).max(MAX_MESSAGE) });
const FileQuery = z.strictObject({
  file: z.string().regex(/^[0-9a-f-]{36}$/),
  format: z.enum(['parquet', 'csv']),
  domain: z.string().min(1).max(100).optional(),
});
const MAX_BODY = 4096;

/** Last line of a reply. */
export type Outcome =
  { readonly ok: true; readonly [more: string]: unknown } | { readonly ok: false; readonly code: string; readonly message: string };
type Say = (line: string) => void;
const no = (code: string, message: string): Outcome => ({ ok: false, code, message });

const bodyOf = async (request: http.IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new RangeError('the request is too large');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
};

const importFile = async (store: VaultStore, kind: 'records' | 'consents', query: URLSearchParams, say: Say): Promise<Outcome> => {
  const { file, format, domain } = FileQuery.parse(Object.fromEntries(query));
  const path = join(store.folders.incoming, file);
  try {
    if (kind === 'records' && domain === undefined) return no('DomainMissing', 'say which: --domain');
    const imported =
      kind === 'records'
        ? await importRecords(store, domain!, { path, format }, say)
        : await importConsents(store, { path, format }, Date.now(), say);
    return { ok: true, fresh: imported.fresh, rows: imported.rows.toString() };
  } finally {
    await rm(path, { force: true });
  }
};

const changeKey = async (store: VaultStore, { subject: of, publicKey, remove }: z.infer<typeof Key>): Promise<Outcome> => {
  const change = { subject: of, publicKey, by: 'operator' } as const;
  if (remove) return (await store.removeKey(change)) ? { ok: true } : no('NotFound', 'it is none of the keys of this subject');
  const added = await store.addKey(change);
  if (added.ok) return added;
  return no(added.code, added.code === 'KeyTaken' ? 'the key belongs to somebody already' : 'no more keys fit; remove one first');
};

export interface Behind {
  readonly store: VaultStore;
  readonly upkeep: Upkeep;
  readonly activation: ActivationDoor;
}
const answer = async ({ store, upkeep, activation }: Behind, request: http.IncomingMessage, say: Say): Promise<Outcome> => {
  const url = new URL(request.url ?? '/', 'http://vault');
  const unknown = no('SubjectUnknown', 'nothing is held of this subject');
  switch (`${request.method} ${url.pathname}`) {
    case 'POST /records':
      return importFile(store, 'records', url.searchParams, say);
    case 'POST /consents':
      return importFile(store, 'consents', url.searchParams, say);
    case 'POST /backup':
      say('copying the Vault');
      say(await upkeep.backup());
      return { ok: true };
    case 'POST /backups':
      for (const id of await upkeep.backups()) say(id);
      return { ok: true };
    case 'POST /imports':
      for (const report of await importReports(store)) say(JSON.stringify(report));
      return { ok: true };
    case 'POST /rotate-key':
      say('encrypting the Vault anew');
      await upkeep.rotate();
      return { ok: true };
    case 'POST /consent':
      await store.consent({ ...Consent.parse(await bodyOf(request)), time: Date.now() });
      return { ok: true };
    case 'POST /erase':
      return (await store.erase(Subject.parse(await bodyOf(request)).subject)) ? { ok: true } : unknown;
    case 'POST /subject': {
      const asked = Subject.parse(await bodyOf(request));
      await store.noteSubjectAccess(asked.subject, 'seen', 'operator');
      const view = await viewOf(store, asked.subject);
      return view ? { ok: true, ...view } : unknown;
    }
    case 'POST /audiences':
      for (const line of await activation.list()) say(line);
      return { ok: true };
    case 'POST /activate': {
      const { task, message } = Activate.parse(await bodyOf(request));
      const done = await activation.activate(task, message);
      if (done.ok) say(`${done.activated} activated`);
      return done;
    }
    case 'POST /key':
      return changeKey(store, Key.parse(await bodyOf(request)));
    default:
      return no('UnknownRequest', 'this door has no such request');
  }
};

const failure = (error: unknown): Outcome => {
  if (error instanceof ImportError || error instanceof ActivationError || error instanceof WebhookError)
    return no(error.code, error.message);
  if (error instanceof z.ZodError) return no('RequestInvalid', z.prettifyError(error));
  if (error instanceof RangeError || error instanceof SyntaxError) return no('RequestInvalid', 'the request is malformed or too large');
  return no(errorCode(error), 'the Vault could not do it; nothing was changed');
};

export interface AdminSocket {
  close(): Promise<void>;
}
export const startAdmin = async (behind: Behind, path: string, log: Logger): Promise<AdminSocket> => {
  await rm(path, { force: true });
  const server = http.createServer({ maxHeaderSize: 8_192, headersTimeout: 5_000 }, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
    const serve = async (): Promise<void> => {
      const outcome = await answer(behind, request, (line) => response.write(`${line}\n`)).catch(failure);
      if (!outcome.ok) log.warn({ code: outcome.code }, 'a local request failed');
      response.end(`${JSON.stringify(outcome)}\n`);
    };
    serve().catch((error: unknown) => log.error({ code: errorCode(error) }, 'a local request broke'));
  });
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
