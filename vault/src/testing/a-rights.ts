/** For tests: the subjects' service on loopback, an issuer's tokens, and requests with or without a signature. */
import { mkdir, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { publicKeyOf, sign, utf8, type VaultSpec } from '@scs/protocol';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import { createAuthority, issue } from '@scs/proto/authority.ts';
import { silent } from '../logger.ts';
import { digestOf, parametersOf, signatureBase } from '../rights/signed-request.ts';
import { startRights, type RightsOptions, type RightsServer } from '../rights/server.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { genesisFor, manifestOf } from './a-group.ts';

export const ISSUER = 'https://id.example';
export const AUDIENCE = 'vault-alder';
export const PAGE = new URL('../rights/page', import.meta.url).pathname;
const A_DAY_AGO = new Date(Date.now() - 86_400_000);

/** An OpenID Connect issuer's key, and tokens by it. */
export class Issuer {
  readonly #key: CryptoKey;
  readonly jwks: string;
  private constructor(key: CryptoKey, jwks: string) {
    this.#key = key;
    this.jwks = jwks;
  }
  static async make(): Promise<Issuer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    return new Issuer(privateKey, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] }));
  }
  /** `claims` override `sub`, `iss`, `aud`, `iat`, `exp`. */
  token(claims: Readonly<Record<string, unknown>>): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: ISSUER, aud: AUDIENCE, iat, exp: iat + 600, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .sign(this.#key);
  }
}

/** A certificate that only tests believe. */
export const writeCertificate = async (folder: string): Promise<string> => {
  const path = join(folder, 'rights-tls');
  const { seed } = actorKey('alder');
  const authority = await createAuthority(seed, 'scs://enterprise/test', A_DAY_AGO, 1);
  const { certificatePem, keyPem } = await issue(authority, seed, 'scs://enterprise/test', A_DAY_AGO, 1);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'tls.crt'), certificatePem);
  await writeFile(join(path, 'tls.key'), keyPem);
  return path;
};

export const rightsManifest = (jwks: string, more: object = {}): VaultSpec =>
  manifestOf({
    rights: {
      tlsSecret: 'cert',
      subjectKeys: true,
      auditorKeys: [actorKey('auditor').publicKey],
      oidc: { issuer: ISSUER, audience: AUDIENCE, jwks },
      ...more,
    },
  });

export const openRights = async (
  folder: string,
  store: VaultStore,
  manifest: VaultSpec,
  more: Partial<RightsOptions> = {},
): Promise<RightsServer> =>
  startRights({
    store,
    manifest,
    genesis: genesisFor(4),
    now: Date.now,
    host: '127.0.0.1',
    port: 0,
    certificate: await writeCertificate(folder),
    page: PAGE,
    log: silent,
    ...more,
  });

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Of JSON replies. */
  readonly json: unknown;
}
export interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}
export const send = (port: number, { method = 'GET', path, body, headers = {} }: Sent): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port, method, path, agent: false, rejectUnauthorized: false, headers: { ...type, ...headers } };
    const request = https.request(options, (response) => {
      text(response).then((read) => {
        const isJson = /json/.test(response.headers['content-type'] ?? '');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: read,
          json: isJson ? (JSON.parse(read) as unknown) : undefined,
        });
      }, reject);
    });
    request.on('error', reject);
    request.end(body);
  });

export interface Signing {
  readonly seed: string;
  readonly vaultKey: string;
  readonly nonce: string;
  /** Civil time in milliseconds. */
  readonly now: number;
  readonly lifeSeconds?: number;
}
/** Headers of a request signed as RFC 9421 has it. */
export const signed = ({ method = 'GET', path, body = '' }: Sent, { seed, vaultKey, nonce, now, lifeSeconds = 60 }: Signing) => {
  const created = Math.floor(now / 1000);
  const contentDigest = digestOf(utf8(body));
  const parameters = parametersOf({ publicKey: publicKeyOf(seed), nonce, created, expires: created + lifeSeconds }, vaultKey);
  const signature = sign(seed, utf8(signatureBase({ method, target: path, contentDigest }, parameters)));
  return {
    'content-digest': contentDigest,
    'signature-input': `sig=${parameters}`,
    signature: `sig=:${Buffer.from(signature, 'hex').toString('base64')}:`,
  };
};
