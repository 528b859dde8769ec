import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import type { Certificate } from './certificates.ts';
import { isRecord } from './objects.ts';

export type Credential = { token: string } | Certificate;

export type Access = { server: string; authority: string; credential: Credential };

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const plain = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** A kubeconfig with one context; certificates are embedded, so that the file can be moved. */
export const kubeconfigText = (name: string, user: string, access: Access): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: access.server, 'certificate-authority-data': base64(access.authority) } }],
    contexts: [{ name, context: { cluster: name, user } }],
    users: [
      {
        name: user,
        user:
          'token' in access.credential
            ? { token: access.credential.token }
            : { 'client-certificate-data': base64(access.credential.certificate), 'client-key-data': base64(access.credential.key) },
      },
    ],
  });

const first = (parsed: unknown, list: string, item: string): Record<string, unknown> => {
  const entries = isRecord(parsed) ? parsed[list] : undefined;
  const [entry]: unknown[] = Array.isArray(entries) ? entries : [];
  const value = isRecord(entry) ? entry[item] : undefined;
  if (!isRecord(value)) throw new Error(`the kubeconfig has no ${item}`);
  return value;
};

const textAt = (value: Record<string, unknown>, field: string): string => {
  const text = value[field];
  if (typeof text !== 'string') throw new Error(`the kubeconfig has no ${field}`);
  return text;
};

/** Reads a kubeconfig that `kubeconfigText` wrote. Throws on another shape. */
export const readAccess = (file: string): Access => {
  const parsed: unknown = parse(readFileSync(file, 'utf8'));
  const cluster = first(parsed, 'clusters', 'cluster');
  const user = first(parsed, 'users', 'user');
  return {
    server: textAt(cluster, 'server'),
    authority: plain(textAt(cluster, 'certificate-authority-data')),
    credential:
      'token' in user
        ? { token: textAt(user, 'token') }
        : { certificate: plain(textAt(user, 'client-certificate-data')), key: plain(textAt(user, 'client-key-data')) },
  };
};
