/** The page's files and the headers of every reply. The policy lets the page run its own scripts and reach its own Vault, nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RightsSpec } from '@scs/protocol/resources/rights.ts';

export interface StaticFile {
  readonly type: string;
  readonly bytes: Buffer;
}
const types = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
} as const;
const files = ['index.html', 'icon.svg', 'style.css', 'app.js', 'show.js', 'session.js', 'login.js', 'signing.js'] as const;

/** By path. Throws when one can't be read. */
export const pageFiles = (folder: string): ReadonlyMap<string, StaticFile> =>
  new Map(
    files.map((name) => {
      const type = types[name.slice(name.lastIndexOf('.') + 1) as keyof typeof types];
      return [name === 'index.html' ? '/' : `/${name}`, { type, bytes: readFileSync(join(folder, name)) }];
    }),
  );

export const securityHeaders = ({ oidc }: RightsSpec): Readonly<Record<string, string>> => {
  const issuer = oidc?.login ? ` ${new URL(oidc.login.tokenEndpoint).origin}` : '';
  return {
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
      `connect-src 'self'${issuer}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'`,
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    'cache-control': 'no-store',
  };
};
