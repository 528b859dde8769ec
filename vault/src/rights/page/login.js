/** Sign-in at the Vault's OpenID Connect issuer: authorization code with PKCE (RFC 7636). The token stays in this page's memory. */
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));
const encode = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const STORED = 'sign-in';
const here = () => `${location.origin}/`;

/** Leaves the page for the issuer's. */
export const beginLogin = async ({ clientId, authorizationEndpoint }) => {
  const [verifier, state] = [random(), random()];
  sessionStorage.setItem(STORED, JSON.stringify({ verifier, state }));
  const challenge = encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));
  const url = new URL(authorizationEndpoint);
  const asked = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: here(),
    scope: 'openid',
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url);
};

/** The token, when this page was just come back to from the issuer; else undefined. Throws when the sign-in failed. */
export const endLogin = async ({ clientId, tokenEndpoint }) => {
  const returned = new URLSearchParams(location.search);
  if (!returned.has('code') && !returned.has('error')) return undefined;
  const { verifier, state } = JSON.parse(sessionStorage.getItem(STORED) ?? '{}');
  sessionStorage.removeItem(STORED);
  history.replaceState(null, '', '/');
  if (!verifier || returned.get('state') !== state || returned.has('error')) throw new Error('The sign-in did not succeed. Try again.');
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code: returned.get('code'),
    redirect_uri: here(),
    client_id: clientId,
    code_verifier: verifier,
  });
  const response = await fetch(tokenEndpoint, { method: 'POST', body, credentials: 'omit' });
  const token = response.ok ? await response.json() : {};
  // Some issuers give access tokens that only they can read; the identity token is always a JWT for this client.
  const jwt = token.id_token ?? token.access_token;
  if (typeof jwt !== 'string') throw new Error('The sign-in did not succeed. Try again.');
  return jwt;
};
