/** Who asks (rules C4, K6): a subject, by token or key; an auditor, by key; a producer, by the key of the account that earned. Everything else is nobody, for one and the same reason. */
import type { IncomingHttpHeaders } from 'node:http';
import { addressOf } from '@scs/protocol';
import type { RightsSpec } from '@scs/protocol/resources/rights.ts';
import type { Dividends } from '../dividends/dividends.ts';
import { subjectOfKey } from '../store/subject-keys.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { Nonces } from './nonces.ts';
import { Refused } from './problem.ts';
import { signerOf } from './signed-request.ts';
import { tokenReader, type TokenReader } from './tokens.ts';

export type Caller =
  | { readonly kind: 'subject'; readonly subject: string }
  | { readonly kind: 'auditor'; readonly publicKey: string }
  | { readonly kind: 'producer'; readonly account: string };
export interface ReceivedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}
const text = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '');

export class Gatekeeper {
  readonly #rights: RightsSpec;
  readonly #store: VaultStore;
  readonly #now: () => number;
  readonly #dividends: Pick<Dividends, 'earns'> | undefined;
  readonly #nonces: Nonces;
  readonly #readToken: TokenReader | undefined;

  /** Throws when the manifest's key set is none. */
  constructor(rights: RightsSpec, store: VaultStore, now: () => number, dividends?: Pick<Dividends, 'earns'>) {
    this.#dividends = dividends;
    this.#rights = rights;
    this.#store = store;
    this.#now = now;
    this.#nonces = new Nonces(now());
    this.#readToken = rights.oidc && tokenReader(rights.oidc, now);
  }

  /** Throws Refused; rejects with IssuerUnavailable and StoreError. */
  async callerOf(request: ReceivedRequest): Promise<Caller> {
    const { headers } = request;
    if (headers['signature'] !== undefined || headers['signature-input'] !== undefined) return this.#signed(request);
    const token = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(text(headers.authorization))?.[1];
    const subject = token === undefined ? undefined : await this.#readToken?.(token);
    if (subject === undefined) throw new Refused('Unauthenticated');
    return { kind: 'subject', subject };
  }

  async #signed({ method, target, headers, body }: ReceivedRequest): Promise<Caller> {
    const by = signerOf(
      {
        method,
        target,
        body,
        signatureInput: text(headers['signature-input']),
        signature: text(headers['signature']),
        contentDigest: text(headers['content-digest']),
      },
      this.#store.keys.publicKey,
      this.#now(),
    );
    if (!by) throw new Refused('Unauthenticated');
    const auditor = this.#rights.auditorKeys.includes(by.publicKey);
    const subject =
      auditor || !this.#rights.subjectKeys ? undefined : await this.#store.database.read((sql) => subjectOfKey(sql, by.publicKey));
    const account = addressOf(by.publicKey);
    const producer = !auditor && subject === undefined && ((await this.#dividends?.earns(account)) ?? false);
    if (!auditor && subject === undefined && !producer) throw new Refused('Unauthenticated');
    const taken = this.#nonces.take(by, this.#now());
    if (taken !== 'fresh') throw new Refused(taken === 'full' ? 'Busy' : 'RequestReplayed');
    if (producer) return { kind: 'producer', account };
    return subject === undefined ? { kind: 'auditor', publicKey: by.publicKey } : { kind: 'subject', subject };
  }
}
