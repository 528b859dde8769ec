/** Who is signed in, in this page's memory only; and requests to the Vault as them. */
import { keyOf, signedHeaders } from './signing.js';

export class Session {
  #service;
  /** The Vault's clock less this machine's. */
  #aheadMs;
  #headersOf;

  constructor(service, vaultTimeMs) {
    this.#service = service;
    this.#aheadMs = vaultTimeMs - Date.now();
  }
  useToken(token) {
    this.#headersOf = () => Promise.resolve({ authorization: `Bearer ${token}` });
  }
  async useSeed(seed) {
    const key = await keyOf(seed);
    this.#headersOf = (request) => signedHeaders(key, this.#service.publicKey, request, Date.now() + this.#aheadMs);
  }
  signOut() {
    this.#headersOf = undefined;
  }

  /** The reply. Throws an Error with a sentence for people. */
  async #send(method, path, content) {
    const body = content === undefined ? undefined : JSON.stringify(content);
    const signed = await this.#headersOf({ method, path, body });
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(path, { method, body, headers: { ...signed, ...type }, credentials: 'omit' }).catch(() => undefined);
    if (!response) throw new Error('The Vault can’t be reached. Try again.');
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail ?? 'The Vault did not answer as it should.');
  }
  async ask(method, path, content) {
    return (await this.#send(method, path, content)).json();
  }
  async file(path) {
    return (await this.#send('GET', path)).blob();
  }
}
