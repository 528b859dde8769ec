/** Tokens of the manifest's OpenID Connect issuer: verified with its published keys, and read as the subject of the records. */
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { RightsSpec } from '@scs/protocol/resources/rights.ts';
import { MAX_SUBJECT_LENGTH } from '../store/subjects.ts';

type Oidc = NonNullable<RightsSpec['oidc']>;
/** Asymmetric only: a shared secret would let whoever checks tokens make them. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];
const MAX_TOKEN = 8_192;
const MAX_JWKS_BYTES = 65_536;
const FETCH_MS = 5_000;

/** The issuer's keys can't be fetched now. */
export class IssuerUnavailable extends Error {
  readonly code = 'IssuerUnavailable';
}
export type TokenReader = (token: string) => Promise<string | undefined>;

const JwkSet = z.object({
  keys: z
    .array(z.looseObject({ kty: z.string() }))
    .min(1)
    .max(64),
});
export const isKeySet = (text: string): boolean => {
  try {
    return JwkSet.safeParse(JSON.parse(text)).success;
  } catch {
    // No JSON, no key set.
    return false;
  }
};
/** Throws on text that is no JWK set. */
const localKeys = (text: string): JWTVerifyGetKey => createLocalJWKSet(JwkSet.parse(JSON.parse(text)));

const bounded = async (url: string, options: RequestInit): Promise<Response> => {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_JWKS_BYTES) throw new RangeError("the issuer's key set is too large");
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
};
const remoteKeys = (url: string): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL(url), { timeoutDuration: FETCH_MS, cooldownDuration: 30_000, cacheMaxAge: 600_000, [customFetch]: bounded });

/** Wrong, foreign, unsigned or late: the same to us. What else goes wrong is the issuer's being away. */
const isRefusal = (error: unknown): boolean =>
  error instanceof errors.JOSEError &&
  !(error instanceof errors.JWKSTimeout) &&
  !(error instanceof errors.JWKSInvalid) &&
  error.code !== 'ERR_JOSE_GENERIC';

/** Gives the subject a token stands for; undefined for one that isn't good. Rejects with IssuerUnavailable. Throws when the manifest has no usable keys. */
export const tokenReader = (oidc: Oidc, now: () => number): TokenReader => {
  const keys = oidc.jwks === undefined ? remoteKeys(oidc.jwksUrl ?? '') : localKeys(oidc.jwks);
  return async (token) => {
    if (token.length > MAX_TOKEN) return undefined;
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: oidc.issuer,
        audience: oidc.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'iat', oidc.subjectClaim],
        clockTolerance: 5,
        maxTokenAge: '1d',
        currentDate: new Date(now()),
      });
      const claim = payload[oidc.subjectClaim];
      const subject = typeof claim === 'string' && claim !== '' ? oidc.subjectPrefix + claim : '';
      return subject !== '' && subject.length <= MAX_SUBJECT_LENGTH ? subject : undefined;
    } catch (error) {
      if (isRefusal(error)) return undefined;
      throw new IssuerUnavailable("the issuer's keys could not be fetched", { cause: error });
    }
  };
};
