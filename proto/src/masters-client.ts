/**
 * The masters as an enterprise's processes see them: three addresses of which one may lie, lag or be away (rule N1). What
 * is read counts only with its certificate, and never goes back in height; what is submitted is tried at the next master
 * until one decides it or two refuse it. A master's bare word ("decided", "unknown") is a hint: callers that act on it
 * read the certified record.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import {
  blobDigest,
  encodeCommand,
  committeeOf,
  leafFault,
  type CertifiedLeaf,
  type Command,
  type Committee,
  type Genesis,
} from '@scs/protocol';
import { leafFromWire } from './certified-leaf.ts';
import { Masters as MastersService, type CertifiedLeaf as WireLeaf } from './gen/scs/v1/masters_pb.ts';
import { grpcClient, type GrpcClient } from './grpc.ts';
import { longerSuccession } from './succession.ts';
import { authoritiesOf, clientCredentials, masterIdentity, type TlsFiles } from './tls.ts';

export type Submitted =
  | { readonly ok: true; readonly height: bigint }
  /** `AlreadyDecided`: the state already says so. Any other code: two masters refused it. */
  | { readonly ok: false; readonly code: string; readonly message: string };

export interface Waiting {
  /** Total time over all masters and attempts; default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}
/** Port: all that a Vault, an agent and a sidecar ask of the masters. Methods throw MastersUnavailable when time runs out. */
export interface Masters {
  /**
   * Decided by the log, as one master says, or refused. Safe to repeat, since commands are idempotent, and to be repeated until
   * the certified record shows it: the same statement is brought to another master each time.
   */
  submit(command: Command, waiting?: Waiting): Promise<Submitted>;
  /** The verified leaf, never older than one seen before for that key; undefined when two masters say there is none. */
  getLeaf(key: string, waiting?: Waiting): Promise<CertifiedLeaf | undefined>;
  /**
   * Verified task leaves, now and on each change; reconnects for ever, until `signal` aborts (then it ends). A task that
   * ended while no master was reachable is not in it: look with `getLeaf`.
   */
  watchTasks(options: { readonly uid?: string; readonly signal: AbortSignal }): AsyncGenerator<CertifiedLeaf, void>;
  /** The blob's digest, once two masters have it: one of them tells the truth. */
  putBlob(task: string, name: string, blob: Uint8Array, waiting?: Waiting): Promise<string>;
  /** undefined when two masters say there is none. `result/<digest>` is checked against its name; asked again for another blob, another master is asked. */
  getBlob(task: string, name: string, waiting?: Waiting): Promise<Uint8Array | undefined>;
  close(): void;
}

export interface MastersOptions {
  /** `host:port` of the masters, in their index order. */
  readonly addresses: readonly string[];
  readonly tls: TlsFiles;
  /** As far as is known: committees appointed since by governance are learnt from the masters (P5). */
  readonly genesis: Genesis;
  /** Hex. */
  readonly genesisDigest: string;
  /** Told of each failed attempt; must not throw. For logs and metrics. */
  readonly onFault?: (master: number, code: string) => void;
  /** First pause after all masters failed, doubled up to 5 s, with jitter. */
  readonly backoffMs?: number;
  /** A stream, and the master asked first, is moved to the next after this long: a silent one must not hide news. */
  readonly rotateMs?: number;
}

export class MastersUnavailable extends Error {
  readonly code = 'MastersUnavailable';
  constructor(what: string, cause: unknown) {
    super(`no master answered in time: ${what}`, { cause });
    this.name = 'MastersUnavailable';
  }
}
/** What one master served is not what the group certified. */
export class LeafInvalid extends Error {
  readonly code: string;
  constructor(code: string) {
    super(`a master served a leaf that does not hold: ${code}`);
    this.name = 'LeafInvalid';
    this.code = code;
  }
}

const ATTEMPT_MS = 10_000;
const MAX_BACKOFF_MS = 5_000;
const DEFAULT_TIMEOUT_MS = 30_000;
const AGREEING = 2;
const CODE = /^[A-Z][A-Za-z]{2,60}$/;
/** Refusals that say "not now" rather than "no". */
const TRANSIENT = new Set(['Unavailable', 'NoLeader', 'Busy', 'TimedOut']);
/** Heights remembered, one a key; the oldest go first. */
const MAX_FLOORS = 20_000;

type Client = GrpcClient<typeof MastersService>;

const codeOf = (error: unknown): string => {
  if (error instanceof LeafInvalid) return error.code;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? (status[code] ?? 'UNKNOWN') : 'UNKNOWN';
};
const isNotFound = (error: unknown): boolean => codeOf(error) === 'NOT_FOUND';

/** What a statement is about: signed again with another journal head, it still is the same. */
const aboutOf = (command: Command): string => {
  switch (command.type) {
    case 'vault.register':
      return `${command.type}/${command.offer.vault}`;
    case 'vault.answer':
      return `${command.type}/${command.statement.task}/${command.statement.vault}`;
    case 'slice.release':
      return `${command.type}/${command.receipt.task}/${command.receipt.vault}`;
    case 'enclave.ready':
      return `${command.type}/${command.statement.task}/${command.statement.sealKey}`;
    case 'aggregate.evidence':
      return `${command.type}/${command.task}`;
    default:
      return blobDigest(encodeCommand(command));
  }
};

/** Whose bare word was taken on what: asked again on the same, another one is asked first. */
class Witnesses {
  readonly #last = new Map<string, number>();
  last(about: string): number | undefined {
    return this.#last.get(about);
  }
  took(about: string, master: number): void {
    this.#last.delete(about);
    this.#last.set(about, master);
    const oldest = this.#last.keys().next().value;
    if (this.#last.size > MAX_FLOORS && oldest !== undefined) this.#last.delete(oldest);
  }
}

/** Heights never go backwards, key by key. */
class Floors {
  readonly #heights = new Map<string, bigint>();
  check(leaf: CertifiedLeaf): void {
    const height = leaf.certificate.head.height;
    if (height < (this.#heights.get(leaf.key) ?? 0n)) throw new LeafInvalid('Stale');
    this.#heights.delete(leaf.key);
    this.#heights.set(leaf.key, height);
    const oldest = this.#heights.keys().next().value;
    if (this.#heights.size > MAX_FLOORS && oldest !== undefined) this.#heights.delete(oldest);
  }
}

type Attempt<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly agree: T };

class GrpcMasters implements Masters {
  readonly #clients: Client[];
  readonly #options: MastersOptions;
  #genesis: Genesis;
  #committee: Committee;
  readonly #floors = new Floors();
  readonly #words = new Witnesses();
  /** The master asked first: the last that answered, for a while: one that stands still or lies must not hide news. */
  #preferred: number;
  #preferredSince = Date.now();

  constructor(options: MastersOptions) {
    this.#options = options;
    this.#genesis = options.genesis;
    this.#committee = committeeOf(options.genesis);
    this.#clients = options.addresses.map((_, i) => this.#clientOf(i));
    this.#preferred = Math.floor(Math.random() * this.#clients.length);
  }

  submit(command: Command, waiting: Waiting = {}): Promise<Submitted> {
    const bytes = encodeCommand(command);
    const ask = { what: `submit ${command.type}`, about: aboutOf(command) };
    return this.#ask<Submitted>(ask, waiting, async (client, call) => {
      const { height, code, message } = await client.submit({ command: bytes }, call);
      if (code === '') return { done: true, value: { ok: true, height } };
      if (TRANSIENT.has(code)) throw new LeafInvalid(code);
      const refusal = { ok: false, code: CODE.test(code) ? code : 'Refused', message: message.slice(0, 1000) } as const;
      return code === 'AlreadyDecided' ? { done: true, value: refusal } : { done: false, agree: refusal };
    });
  }

  getLeaf(key: string, waiting: Waiting = {}): Promise<CertifiedLeaf | undefined> {
    return this.#ask<CertifiedLeaf | undefined>({ what: `leaf ${key}` }, waiting, async (client, call) => {
      try {
        return { done: true, value: await this.#verified(client, await client.getLeaf({ key }, call), key) };
      } catch (error) {
        if (isNotFound(error)) return { done: false, agree: undefined };
        throw error;
      }
    });
  }

  async putBlob(task: string, name: string, blob: Uint8Array, waiting: Waiting = {}): Promise<string> {
    const expected = blobDigest(blob);
    return this.#ask<string>({ what: `put blob ${name}` }, waiting, async (client, call) => {
      const { digest } = await client.putBlob({ task, name, blob }, call);
      if (digest !== expected) throw new LeafInvalid('BlobDigestMismatch');
      return { done: false, agree: digest };
    });
  }

  getBlob(task: string, name: string, waiting: Waiting = {}): Promise<Uint8Array | undefined> {
    return this.#ask<Uint8Array | undefined>({ what: `blob ${name}`, about: `${task}/${name}` }, waiting, async (client, call) => {
      try {
        const { blob } = await client.getBlob({ task, name }, call);
        if (name.startsWith('result/') && name !== `result/${blobDigest(blob)}`) throw new LeafInvalid('BlobDigestMismatch');
        return { done: true, value: blob };
      } catch (error) {
        if (isNotFound(error)) return { done: false, agree: undefined };
        throw error;
      }
    });
  }

  async *watchTasks({ uid, signal }: { readonly uid?: string; readonly signal: AbortSignal }): AsyncGenerator<CertifiedLeaf, void> {
    const seen = new Map<string, bigint>();
    let failures = 0;
    for (let master = this.#preferred; !signal.aborted; master = (master + 1) % this.#clients.length) {
      const rotate = AbortSignal.timeout(this.#options.rotateMs ?? 30_000);
      const attempt = AbortSignal.any([signal, rotate]);
      try {
        const client = this.#clients[master]!;
        for await (const wire of client.watchTasks(uid === undefined ? {} : { uid }, { signal: attempt })) {
          const leaf = await this.#verified(client, wire);
          if (!leaf.key.startsWith('task/')) throw new LeafInvalid('WrongKey');
          failures = 0;
          const height = leaf.certificate.head.height;
          if (height <= (seen.get(leaf.key) ?? -1n)) continue;
          seen.delete(leaf.key);
          seen.set(leaf.key, height);
          const oldest = seen.keys().next().value;
          if (seen.size > MAX_FLOORS && oldest !== undefined) seen.delete(oldest);
          yield leaf;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!rotate.aborted) this.#options.onFault?.(master, codeOf(error));
      }
      if (!rotate.aborted) await this.#pause(failures++, signal);
    }
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** Asks one master after the other until one is done, two agree, or time runs out. */
  async #ask<T>(
    { what, about }: { readonly what: string; readonly about?: string },
    { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: Waiting,
    attempt: (client: Client, call: { timeoutMs: number; signal?: AbortSignal }) => Promise<Attempt<T>>,
  ): Promise<T> {
    const end = Date.now() + timeoutMs;
    const agreed = new Map<number, T>();
    const before = about === undefined ? undefined : this.#words.last(about);
    if (Date.now() - this.#preferredSince >= (this.#options.rotateMs ?? 30_000)) {
      this.#preferred = (this.#preferred + 1) % this.#clients.length;
      this.#preferredSince = Date.now();
    }
    const first = before === undefined ? this.#preferred : before + 1;
    let failure: unknown;
    // oxlint-disable-next-line no-unmodified-loop-condition -- aborted from outside
    for (let tries = 0; Date.now() < end && !signal?.aborted; tries++) {
      const master = (first + tries) % this.#clients.length;
      if (tries > 0 && tries % this.#clients.length === 0) await this.#pause(tries / this.#clients.length - 1, signal, end - Date.now());
      const call = { timeoutMs: Math.max(1, Math.min(ATTEMPT_MS, end - Date.now())), ...(signal && { signal }) };
      try {
        const outcome = await attempt(this.#clients[master]!, call);
        if (outcome.done) {
          this.#preferred = master;
          if (about !== undefined) this.#words.took(about, master);
          return outcome.value;
        }
        agreed.set(master, outcome.agree);
        if (agreed.size >= Math.min(AGREEING, this.#clients.length)) return outcome.agree;
      } catch (error) {
        failure = error;
        this.#options.onFault?.(master, codeOf(error));
      }
    }
    throw new MastersUnavailable(what, failure);
  }

  #clientOf(master: number): Client {
    const { addresses, tls } = this.#options;
    return grpcClient(MastersService, addresses[master]!, clientCredentials(tls, authoritiesOf(this.#genesis), masterIdentity(master)));
  }

  /** A certificate of a generation that is not known here: whoever shows it shows who appointed it, too, or is not believed. */
  async #learn(client: Client): Promise<void> {
    const before = this.#genesis;
    const now = longerSuccession(before, (await client.succession({}, { timeoutMs: ATTEMPT_MS })).links);
    if (!now || this.#genesis !== before) return; // another call has learnt it meanwhile
    this.#genesis = now;
    this.#committee = committeeOf(now);
    for (const [i, { tlsAuthority }] of now.masters.entries()) {
      if (before.masters[i]?.tlsAuthority === tlsAuthority) continue;
      this.#clients[i]?.close();
      this.#clients[i] = this.#clientOf(i);
    }
  }

  async #verified(client: Client, wire: WireLeaf, key = wire.key): Promise<CertifiedLeaf> {
    const leaf = leafFromWire(wire);
    if (!leaf) throw new LeafInvalid('CertificateMissing');
    if (leaf.key !== key) throw new LeafInvalid('WrongKey');
    if (leaf.certificate.head.generation > this.#committee.generation) await this.#learn(client);
    const fault = leafFault(leaf, this.#options.genesisDigest, this.#committee);
    if (fault) throw new LeafInvalid(fault.code);
    this.#floors.check(leaf);
    return leaf;
  }

  async #pause(failures: number, signal?: AbortSignal, atMostMs = MAX_BACKOFF_MS): Promise<void> {
    const ceiling = Math.min(MAX_BACKOFF_MS, (this.#options.backoffMs ?? 200) * 2 ** Math.min(failures, 10));
    const delay = Math.max(0, Math.min(atMostMs, ceiling * (0.5 + Math.random() / 2)));
    try {
      await sleep(delay, undefined, signal && { signal });
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }
}

/** Connects lazily to the masters named by the genesis; each is known by its own TLS authority. */
export const createMasters = (options: MastersOptions): Masters => {
  if (options.addresses.length !== options.genesis.masters.length)
    throw new RangeError(`${options.addresses.length} addresses for ${options.genesis.masters.length} masters`);
  return new GrpcMasters(options);
};
