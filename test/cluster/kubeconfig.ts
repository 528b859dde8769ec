import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import type { Certificate } from './certificates.ts';

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

type Parsed = {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  users: [{ user: { token?: string; 'client-certificate-data'?: string; 'client-key-data'?: string } }];
};

/** Reads a kubeconfig that `kubeconfigText` wrote. */
export const readAccess = (file: string): Access => {
  const parsed = parse(readFileSync(file, 'utf8')) as Parsed;
  const { cluster } = parsed.clusters[0];
  const { user } = parsed.users[0];
  return {
    server: cluster.server,
    authority: plain(cluster['certificate-authority-data']),
    credential:
      user.token === undefined
        ? { certificate: plain(user['client-certificate-data'] ?? ''), key: plain(user['client-key-data'] ?? '') }
        : { token: user.token },
  };
};
