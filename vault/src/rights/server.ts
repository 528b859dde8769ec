/**
 * The subjects' service (rule C4): HTTPS, bounded in everything, checked by the API's schemas both ways. Neither log nor metric says
 * who asked or what came out; an enterprise's certificate is not needed, so anybody may knock.
 */
import type http from 'node:http';
import https from 'node:https';
import { z } from 'zod';
import { errorCode, type Logger } from '../logger.ts';
import { Busy, Mutex } from '../store/mutex.ts';
import { answer, CsvFile, type RightsContext } from './answers.ts';
import { operations, type Operation, type OperationName } from './api.ts';
import { readCertificate, type Certificate } from './certificate.ts';
import { openApi } from './openapi.ts';
import { pageFiles, securityHeaders, type StaticFile } from './page-files.ts';
import { problemOf, problems, Refused, type ProblemCode } from './problem.ts';
import { RateLimit } from './rate-limit.ts';
import { Gatekeeper, type Caller } from './who.ts';

export interface RightsOptions extends RightsContext {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Folder of tls.crt and tls.key. */
  readonly certificate: string;
  /** Folder of the page. */
  readonly page: string;
  readonly log: Logger;
  /** Told of refusals and failures alone: how often subjects act is nobody's business. */
  readonly onRefusal?: (code: string) => void;
}
export interface RightsServer {
  readonly port: number;
  /** Looks at the certificate's files now; it does so every minute by itself. */
  renew(): Promise<void>;
  close(): Promise<void>;
}
const MAX_BODY = 4_096;
const MAX_TARGET = 2_048;
const RELOAD_MS = 60_000;
const VERSION = '1.0.0';
/** Requests in the store at once, and waiting for each; the rest of it belongs to tasks. */
const LANES = 2;
const MAX_WAITING = 32;

const routes = (Object.entries(operations) as [OperationName, Operation][]).map(([name, operation]) => ({
  name,
  operation,
  pattern: new RegExp(`^${operation.path.replace(/\{\w+\}$/, '([A-Za-z0-9]{1,64})')}$`),
}));
interface Route {
  readonly name: OperationName;
  readonly operation: Operation;
  readonly parameter: string | undefined;
}
/** Throws Refused. */
const routeOf = (method: string, path: string): Route => {
  const here = routes.flatMap(({ pattern, ...route }) => {
    const match = pattern.exec(path);
    return match ? [{ ...route, parameter: match[1] }] : [];
  });
  const found = here.find(({ operation }) => operation.method === method);
  if (!found) throw new Refused(here.length > 0 ? 'MethodNotAllowed' : 'NotFound');
  return found;
};

const bodyOf = async (request: http.IncomingMessage): Promise<Uint8Array> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Refused('BodyTooLarge');
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
};
/** Throws Refused, SyntaxError and ZodError. */
const readBody = (schema: z.ZodType | undefined, type: string | undefined, bytes: Uint8Array): unknown => {
  if (!schema) {
    if (bytes.length > 0) throw new Refused('RequestInvalid');
    return undefined;
  }
  if (!/^application\/json(;|$)/i.test(type ?? '')) throw new Refused('MediaTypeUnsupported');
  return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
};
/** A parameter given twice is a mistake, not a list. */
const readQuery = (search: URLSearchParams): Record<string, string> => {
  const query = Object.fromEntries(search);
  if (Object.keys(query).length !== search.size) throw new Refused('RequestInvalid');
  return query;
};

const codeOf = (error: unknown): ProblemCode => {
  if (error instanceof Refused) return error.code;
  if (error instanceof Busy) return 'Busy';
  return 'Unavailable';
};

class RightsService {
  readonly #options: RightsOptions;
  readonly #gatekeeper: Gatekeeper;
  readonly #files: ReadonlyMap<string, StaticFile>;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #lanes = Array.from({ length: LANES }, () => new Mutex(MAX_WAITING));
  #lane = 0;
  readonly #byAddress = new RateLimit({ burst: 200, perSecond: 20 });
  readonly #reads = new RateLimit({ burst: 60, perSecond: 1 });
  readonly #writes = new RateLimit({ burst: 20, perSecond: 0.1 });

  /** Throws when the page or the manifest's key set can't be read. */
  constructor(options: RightsOptions) {
    this.#options = options;
    const rights = options.manifest.rights!;
    this.#gatekeeper = new Gatekeeper(rights, options.store, options.now, options.dividends);
    this.#headers = securityHeaders(rights);
    const document = { type: 'application/json', bytes: Buffer.from(JSON.stringify(openApi(VERSION))) };
    this.#files = new Map([...pageFiles(options.page), ['/openapi.json', document]]);
  }

  async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    try {
      await this.#serve(request, response);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'Unavailable') this.#options.log.warn({ code: errorCode(error) }, "a subject's request failed");
      this.#options.onRefusal?.(code);
      this.#refuse(response, code);
    }
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = '', url: target = '' } = request;
    if (!this.#byAddress.take(request.socket.remoteAddress ?? '', this.#options.now())) throw new Refused('TooManyRequests');
    if (target.length > MAX_TARGET || !/^\/[!-~]*$/.test(target)) throw new Refused('RequestInvalid');
    const [path = '/', search = ''] = target.split(/\?(.*)/s, 2);
    const file = this.#files.get(path);
    if (file && method === 'GET') return this.#send(response, 200, file.type, file.bytes);
    const route = routeOf(method, path);
    const body = await bodyOf(request);
    const caller = await this.#admit(route, { method, target, headers: request.headers, body });
    const asked = this.#read(route, new URLSearchParams(search), request.headers['content-type'], body);
    const lane = this.#lanes[(this.#lane = (this.#lane + 1) % LANES)]!;
    const reply = await lane.run(() => answer(route.name, this.#options, caller, asked));
    if (reply instanceof CsvFile) return this.#sendCsv(response, reply);
    const { operation, name } = route;
    const saved = name === 'export' ? { 'content-disposition': 'attachment; filename="export.json"' } : {};
    this.#send(response, 200, 'application/json', Buffer.from(JSON.stringify(operation.reply.parse(reply))), saved);
  }

  /** Throws Refused. */
  async #admit({ operation }: Route, request: Parameters<Gatekeeper['callerOf']>[0]): Promise<Caller | undefined> {
    if (operation.audience === 'anyone') return undefined;
    const caller = await this.#gatekeeper.callerOf(request);
    const name = `${caller.kind} ${caller.kind === 'subject' ? caller.subject : caller.kind === 'auditor' ? caller.publicKey : caller.account}`;
    const rate = operation.writes ? this.#writes : this.#reads;
    if (!rate.take(name, this.#options.now())) throw new Refused('TooManyRequests');
    if (caller.kind !== operation.audience) throw new Refused('NotPermitted');
    return caller;
  }

  /** Throws Refused. */
  #read({ operation, parameter }: Route, search: URLSearchParams, type: string | undefined, body: Uint8Array) {
    try {
      return {
        parameter: operation.parameter?.parse(parameter),
        query: operation.query.parse(readQuery(search)),
        body: readBody(operation.body, type, body),
      };
    } catch (error) {
      throw error instanceof z.ZodError || error instanceof SyntaxError ? new Refused('RequestInvalid') : error;
    }
  }

  #sendCsv(response: http.ServerResponse, { name, text }: CsvFile): void {
    const saved = { 'content-disposition': `attachment; filename="${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}"` };
    this.#send(response, 200, 'text/csv; charset=utf-8', Buffer.from(text), saved);
  }
  #refuse(response: http.ServerResponse, code: ProblemCode): void {
    if (response.headersSent) return void response.destroy();
    const { status } = problems[code];
    const more = {
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...((status === 429 || status === 503) && { 'retry-after': '10' }),
      // What is left of its body is not read.
      ...(code === 'BodyTooLarge' && { connection: 'close' }),
    };
    this.#send(response, status, 'application/problem+json', Buffer.from(JSON.stringify(problemOf(code))), more);
  }
  #send(response: http.ServerResponse, status: number, type: string, bytes: Buffer, more: Readonly<Record<string, string>> = {}): void {
    response.writeHead(status, { ...this.#headers, ...more, 'content-type': type, 'content-length': bytes.length }).end(bytes);
  }
}

/** Puts the Secret's certificate into use, and again when it was renewed. */
const certificateOf = (server: https.Server, folder: string, log: Logger): (() => Promise<void>) => {
  let current: Certificate | undefined;
  return async () => {
    const next = await readCertificate(folder);
    if (!next) log.warn({ code: 'CertificateMissing' }, 'the certificate for subjects is missing or unusable');
    if (!next || next.cert === current?.cert) return;
    server.setSecureContext({ ...next, minVersion: 'TLSv1.2' });
    current = next;
  };
};

/** Rejects when the address is taken, the page missing or the manifest's key set none. */
export const startRights = async (options: RightsOptions): Promise<RightsServer> => {
  const { log } = options;
  const service = new RightsService(options);
  const limits = {
    requestTimeout: 10_000,
    headersTimeout: 5_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 16_384,
    minVersion: 'TLSv1.2',
  } as const;
  const server = https.createServer(limits, (request, response) => {
    service.serve(request, response).catch((error: unknown) => log.error({ code: errorCode(error) }, "a subject's request broke"));
  });
  server.maxConnections = 512;
  server.setTimeout(30_000);
  const renew = certificateOf(server, options.certificate, log);
  await renew();
  const reload = setInterval(() => {
    renew().catch((error: unknown) => log.error({ code: errorCode(error) }, 'the certificate for subjects could not be renewed'));
  }, RELOAD_MS).unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    renew,
    close: () =>
      new Promise((resolve) => {
        clearInterval(reload);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
