/** Requests signed by a subject's key in the browser (RFC 9421), as vault/src/rights/signed-request.ts reads them. */
const PKCS8_ED25519 = '302e020100300506032b657004220420';
const LIFE_SECONDS = 60;

const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const base64Of = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const utf8 = (text) => new TextEncoder().encode(text);

/** The key pair of a seed of 64 hex digits. */
export const keyOf = async (seed) => {
  const encoded = bytesOf(PKCS8_ED25519 + seed.toLowerCase());
  const { x } = await crypto.subtle.exportKey('jwk', await crypto.subtle.importKey('pkcs8', encoded, 'Ed25519', true, ['sign']));
  const publicKey = hexOf(Uint8Array.from(atob(x.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.codePointAt(0)));
  return { publicKey, privateKey: await crypto.subtle.importKey('pkcs8', encoded, 'Ed25519', false, ['sign']) };
};

/** Headers that sign one request; `nowMs` is the Vault's time. */
export const signedHeaders = async ({ publicKey, privateKey }, vaultKey, { method, path, body }, nowMs) => {
  const created = Math.floor(nowMs / 1000);
  const nonce = hexOf(crypto.getRandomValues(new Uint8Array(16)));
  const digest = `sha-256=:${base64Of(await crypto.subtle.digest('SHA-256', utf8(body ?? '')))}:`;
  const parameters =
    `("@method" "@path" "@query" "content-digest");created=${created};expires=${created + LIFE_SECONDS};nonce="${nonce}";` +
    `keyid="${publicKey}";alg="ed25519";tag="scs-vault:${vaultKey}"`;
  const at = path.indexOf('?');
  const base = [
    `"@method": ${method}`,
    `"@path": ${at < 0 ? path : path.slice(0, at)}`,
    `"@query": ${at < 0 ? '?' : path.slice(at)}`,
    `"content-digest": ${digest}`,
    `"@signature-params": ${parameters}`,
  ].join('\n');
  const signature = base64Of(await crypto.subtle.sign('Ed25519', privateKey, utf8(base)));
  return { 'content-digest': digest, 'signature-input': `sig=${parameters}`, signature: `sig=:${signature}:` };
};
