import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { Issuer } from '@scs/vault/testing/a-rights.ts';
import type { Certificate } from '../../cluster/certificates.ts';

/** An OpenID Connect issuer as far as a browser meets it: everybody is signed in as one person; codes need their verifier (PKCE). */
export interface LoginServer {
  readonly origin: string;
  readonly jwks: string;
  close(): Promise<void>;
}
export const openIssuer = async (
  certificate: Certificate,
  clientId: string,
  claims: () => Readonly<Record<string, unknown>>,
): Promise<LoginServer> => {
  const issuer = await Issuer.make();
  const challenges = new Map<string, string>();
  const server = https.createServer({ cert: certificate.certificate, key: certificate.key });
  const origin = (): string => {
    const address = server.address();
    return `https://localhost:${typeof address === 'object' && address !== null ? address.port : 0}`;
  };
  const authorize = (asked: URLSearchParams, response: ServerResponse): void => {
    const code = randomUUID();
    challenges.set(code, asked.get('code_challenge') ?? '');
    const back = new URL(asked.get('redirect_uri') ?? '');
    back.searchParams.set('code', code);
    back.searchParams.set('state', asked.get('state') ?? '');
    response.writeHead(302, { location: back.href }).end();
  };
  const token = async (body: URLSearchParams, response: ServerResponse): Promise<void> => {
    const code = body.get('code') ?? '';
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    const good = challenges.get(code) === challenge && body.get('client_id') === clientId;
    challenges.delete(code);
    const headers = { 'access-control-allow-origin': '*', 'content-type': 'application/json' };
    const made = good ? { id_token: await issuer.token({ iss: origin(), aud: clientId, ...claims() }) } : { error: 'invalid_grant' };
    response.writeHead(good ? 200 : 400, headers).end(JSON.stringify(made));
  };
  server.on('request', (request, response) => {
    const url = new URL(request.url ?? '/', origin());
    const serve = async (): Promise<void> => {
      if (url.pathname === '/authorize') authorize(url.searchParams, response);
      else await token(new URLSearchParams(await text(request)), response);
    };
    serve().catch(() => response.destroy());
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return {
    origin: origin(),
    jwks: issuer.jwks,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
