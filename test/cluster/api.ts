import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { checkInterrupt } from './interrupt.ts';
import type { Access } from './kubeconfig.ts';

export type Answer = { status: number; body: string };

const answerLimit = 16 * 1024 * 1024;

/** A few requests to an API server, enough to bring a cluster up without kubectl. No proxy is used. */
export type Api = {
  send(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>;
  get(path: string): Promise<unknown>;
  /** Server-side apply of one object at its full path. */
  apply(path: string, object: unknown): Promise<void>;
  close(): void;
};

const timeoutMs = 10_000;

export const apiOf = (access: Access): Api => {
  const { credential } = access;
  const agent = new Agent({
    keepAlive: true,
    ca: access.authority,
    ...('token' in credential ? {} : { cert: credential.certificate, key: credential.key }),
  });
  const send = (method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, access.server),
        {
          method,
          agent,
          timeout: timeoutMs,
          headers: {
            accept: 'application/json',
            ...('token' in credential ? { authorization: `Bearer ${credential.token}` } : {}),
            ...(body === undefined ? {} : { 'content-type': contentType }),
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          let size = 0;
          incoming.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > answerLimit) incoming.destroy(new Error('answer too large'));
            else chunks.push(chunk);
          });
          incoming.on('error', reject);
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)));
      outgoing.on('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const get = async (path: string): Promise<unknown> => {
    const answer = await send('GET', path);
    if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
    return JSON.parse(answer.body) as unknown;
  };
  const apply = async (path: string, object: unknown): Promise<void> => {
    const answer = await send('PATCH', `${path}?fieldManager=scs-cluster&force=true`, object, 'application/apply-patch+yaml');
    if (answer.status >= 300) throw new Error(`apply ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
  };
  return { send, get, apply, close: () => agent.destroy() };
};

/** Asks again every `everyMs` until `check` gives a value. Throws `what` with the last error at the deadline, or when `failed` says why it can't succeed. */
export const until = async <T>(
  what: string,
  check: () => Promise<T | undefined>,
  {
    timeoutMs: limitMs,
    everyMs = 50,
    failed = () => undefined,
  }: { timeoutMs: number; everyMs?: number; failed?: () => string | undefined },
): Promise<T> => {
  const deadline = Date.now() + limitMs;
  let last = '';
  for (;;) {
    checkInterrupt();
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    const reason = failed();
    if (reason !== undefined) throw new Error(`${what}: ${reason}`);
    if (Date.now() > deadline) throw new Error(`${what}: not after ${Math.round(limitMs / 1000)} s. ${last}`);
    await delay(everyMs);
  }
};
