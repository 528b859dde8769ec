import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, issue, newAuthority, newServiceAccountKeys, type Subject } from './certificates.ts';
import { kubeconfigText } from './kubeconfig.ts';

/** Keys and certificates of one cluster, in its folder `pki/`; readable by the owner only. */
export type Pki = { folder: string; authority: Certificate; token: string };

const write = (file: string, content: string): void => writeFileSync(file, content, { mode: 0o600 });

const writePair = (folder: string, name: string, pair: Certificate): void => {
  write(join(folder, `${name}.crt`), pair.certificate);
  write(join(folder, `${name}.key`), pair.key);
};

/** Makes all keys of a control plane that serves at `addresses`; a restart finds the old ones. */
export const ensurePki = (stateFolder: string, addresses: readonly string[]): Pki => {
  const folder = join(stateFolder, 'pki');
  const done = join(folder, 'tokens.csv');
  if (!existsSync(done)) makePki(folder, addresses);
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  return { folder, authority: { certificate: read('ca.crt'), key: read('ca.key') }, token: read('tokens.csv').split(',')[0] ?? '' };
};

const makePki = (folder: string, addresses: readonly string[]): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = newAuthority('scs-cluster-ca');
  writePair(folder, 'ca', authority);
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];
  writePair(folder, 'apiserver', issue(authority, { user: 'kube-apiserver' }, [...names, ...addresses]));
  writePair(folder, 'apiserver-kubelet', issue(authority, { user: 'kube-apiserver-kubelet-client', groups: ['system:masters'] }));
  const accounts = newServiceAccountKeys();
  write(join(folder, 'service-account.key'), accounts.privateKey);
  write(join(folder, 'service-account.pub'), accounts.publicKey);
  // Written last: its presence says that the folder is complete.
  write(join(folder, 'tokens.csv'), `${randomBytes(24).toString('base64url')},admin,admin,system:masters\n`);
};

/** Writes a kubeconfig with a fresh client certificate for `subject` and returns its path. */
export const writeKubeconfig = (pki: Pki, file: string, context: string, server: string, subject: Subject): string => {
  const credential = issue(pki.authority, subject);
  write(file, kubeconfigText(context, subject.user, { server, authority: pki.authority.certificate, credential }));
  return file;
};

/** A serving certificate, for the kubelet. */
export const writeServingPair = (pki: Pki, name: string, subject: Subject, addresses: readonly string[]): void =>
  writePair(pki.folder, name, issue(pki.authority, subject, addresses));
