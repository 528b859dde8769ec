/** How a Vault serves its data subjects over HTTPS (rule C4): part of the Vault manifest. */
import { z } from 'zod';
import { PublicKey } from './common.ts';

const HttpsUrl = z
  .string()
  .regex(/^https:\/\/[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?(\/[A-Za-z0-9._~%/=?&+-]{0,512})?$/)
  .max(800);

const Login = z.object({
  clientId: z.string().min(1).max(256).describe('Public client that the page signs in as (authorization code with PKCE).'),
  authorizationEndpoint: HttpsUrl.describe('Where the page sends a person to sign in.'),
  tokenEndpoint: HttpsUrl.describe("Where the page fetches the token; it must allow the page's origin."),
});

const Oidc = z.object({
  issuer: HttpsUrl.describe('Issuer of the tokens, exactly as in their `iss`.'),
  audience: z.string().min(1).max(256).describe('Audience that a token must name in `aud`; with `login` the id of the client.'),
  jwksUrl: HttpsUrl.optional().describe("The issuer's public keys. The Vault goes out there; set `jwks` instead to stay closed."),
  jwks: z.string().max(16_384).optional().describe("The issuer's public keys as JSON text (a JWK set), instead of `jwksUrl`."),
  subjectClaim: z
    .string()
    .regex(/^[A-Za-z0-9_.:/-]{1,128}$/)
    .max(128)
    .default('sub')
    .describe('Claim that names the subject. The issuer must never let people choose or reuse it.'),
  subjectPrefix: z.string().max(128).default('').describe("Put before the claim's value: the result is the `subject` of the records."),
  login: Login.optional().describe("Lets the Vault's page sign people in; without it the page takes a subject key only."),
});

export const RightsSpec = z.object({
  tlsSecret: z
    .string()
    .min(1)
    .max(253)
    .describe('Secret of type kubernetes.io/tls with a certificate that browsers trust. Renewals are picked up.'),
  subjectKeys: z.boolean().default(false).describe('Accept requests that are signed by a key registered for the subject.'),
  oidc: Oidc.optional().describe('Accept tokens of this OpenID Connect issuer.'),
  auditorKeys: z
    .array(PublicKey)
    .max(16)
    .default([])
    .describe('Ed25519 keys of auditors: they see limits, odometers and tasks, never a subject.'),
});
export type RightsSpec = z.infer<typeof RightsSpec>;
