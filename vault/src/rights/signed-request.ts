/**
 * Requests signed by a subject's or auditor's key (rule C4): HTTP Message Signatures (RFC 9421) in one fixed form, over method,
 * path, query and body (Content-Digest, RFC 9530), for one Vault, for minutes, once. Pure but for the hash.
 */
import { createHash } from 'node:crypto';
import { utf8, verifySignature } from '@scs/protocol';

export interface RequestToVerify {
  readonly method: string;
  /** As sent: path and query. */
  readonly target: string;
  readonly body: Uint8Array;
  readonly signatureInput: string;
  readonly signature: string;
  readonly contentDigest: string;
}
export interface SignedBy {
  /** Ed25519, hex. */
  readonly publicKey: string;
  readonly nonce: string;
  /** Civil times in seconds. */
  readonly created: number;
  readonly expires: number;
}
/** Longest from created to expires. */
export const MAX_LIFE_SECONDS = 300;
/** How far a signer's clock may be ahead. */
export const CLOCK_AHEAD_SECONDS = 5;
const COVERED = '("@method" "@path" "@query" "content-digest")';
const INPUT =
  /^sig=(\("@method" "@path" "@query" "content-digest"\);created=(\d{1,12});expires=(\d{1,12});nonce="([A-Za-z0-9_-]{16,64})";keyid="([0-9a-f]{64})";alg="ed25519";tag="scs-vault:([0-9a-f]{64})")$/;
const SIGNATURE = /^sig=:([A-Za-z0-9+/]{86}==):$/;

export const digestOf = (body: Uint8Array): string => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;

/** Signature-Input without its label. */
export const parametersOf = ({ publicKey, nonce, created, expires }: SignedBy, vaultKey: string): string =>
  `${COVERED};created=${created};expires=${expires};nonce="${nonce}";keyid="${publicKey}";alg="ed25519";tag="scs-vault:${vaultKey}"`;

/** What is signed (RFC 9421, 2.5). */
export const signatureBase = (request: Pick<RequestToVerify, 'method' | 'target' | 'contentDigest'>, parameters: string): string => {
  const at = request.target.indexOf('?');
  const [path, query] = at < 0 ? [request.target, '?'] : [request.target.slice(0, at), request.target.slice(at)];
  return [
    `"@method": ${request.method}`,
    `"@path": ${path}`,
    `"@query": ${query}`,
    `"content-digest": ${request.contentDigest}`,
    `"@signature-params": ${parameters}`,
  ].join('\n');
};

/** undefined unless form, digest, Vault, time and signature all fit; the nonce is the caller's to check. */
export const signerOf = (request: RequestToVerify, vaultKey: string, nowMs: number): SignedBy | undefined => {
  const input = INPUT.exec(request.signatureInput);
  const signature = SIGNATURE.exec(request.signature)?.[1];
  if (!input || signature === undefined || input[6] !== vaultKey || request.contentDigest !== digestOf(request.body)) return undefined;
  const by: SignedBy = { created: Number(input[2]), expires: Number(input[3]), nonce: input[4]!, publicKey: input[5]! };
  const now = nowMs / 1000;
  const inTime = by.created <= now + CLOCK_AHEAD_SECONDS && by.expires > now && by.expires - by.created <= MAX_LIFE_SECONDS;
  if (!inTime || by.expires < by.created) return undefined;
  const message = utf8(signatureBase(request, input[1]!));
  return verifySignature(by.publicKey, message, Buffer.from(signature, 'base64').toString('hex')) ? by : undefined;
};
