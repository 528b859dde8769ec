import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { bits, explicit, integer, octets, oid, sequence, setOf, tagged, time, utf8, yes } from './der.ts';

/** X.509 certificates (RFC 5280) over P-256 for a cluster that lives on one machine. */
export type Certificate = { certificate: string; key: string };

export type Subject = { user: string; groups?: readonly string[] };

const validityMs = 365 * 24 * 3600 * 1000;
const backdateMs = 3600 * 1000;
const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));

const nameOf = (subject: Subject): Buffer =>
  sequence(
    ...(subject.groups ?? []).map((group) => setOf(sequence(oid('2.5.4.10'), utf8(group)))),
    setOf(sequence(oid('2.5.4.3'), utf8(subject.user))),
  );

const extension = (id: string, critical: boolean, value: Buffer): Buffer => sequence(oid(id), ...(critical ? [yes] : []), octets(value));

const alternative = (host: string): Buffer => {
  const version = isIP(host);
  if (version === 6) throw new Error(`IPv6 is not used here: ${host}`);
  return version === 4 ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host, 'latin1'));
};

type Kind = { authority: true } | { authority: false; hosts: readonly string[] };

const extensionsOf = (kind: Kind): Buffer[] => {
  if (kind.authority) return [extension('2.5.29.19', true, sequence(yes)), extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1))];
  const usage = kind.hosts.length > 0 ? ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] : ['1.3.6.1.5.5.7.3.2'];
  return [
    extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)),
    extension('2.5.29.37', false, sequence(...usage.map(oid))),
    ...(kind.hosts.length > 0 ? [extension('2.5.29.17', false, sequence(...kind.hosts.map(alternative)))] : []),
  ];
};

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;

const build = (subject: Subject, kind: Kind, issuer?: Certificate): Certificate => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signer = issuer === undefined ? pair.privateKey : createPrivateKey(issuer.key);
  const issuerName = issuer === undefined ? nameOf(subject) : nameOf({ user: commonName(issuer) });
  const serial = randomBytes(15);
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), serial])),
    ecdsaWithSha256,
    issuerName,
    sequence(time(new Date(Date.now() - backdateMs)), time(new Date(Date.now() + validityMs))),
    nameOf(subject),
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensionsOf(kind))),
  );
  const signature = sign('sha256', body, signer);
  return { certificate: pem('CERTIFICATE', sequence(body, ecdsaWithSha256, bits(signature))), key };
};

const commonName = (issuer: Certificate): string => {
  const line = new X509Certificate(issuer.certificate).subject.split('\n').find((part) => part.startsWith('CN='));
  if (line === undefined) throw new Error('the issuing certificate has no common name');
  return line.slice(3);
};

/** A new certificate authority, valid for a year. */
export const newAuthority = (name: string): Certificate => build({ user: name }, { authority: true });

/** A certificate for a server (with `hosts`) or a client (without): Kubernetes reads CN as the user and O as its groups. */
export const issue = (authority: Certificate, subject: Subject, hosts: readonly string[] = []): Certificate =>
  build(subject, { authority: false, hosts }, authority);

/** Key pair that signs service-account tokens. */
export const newServiceAccountKeys = (): { privateKey: string; publicKey: string } => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
    publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
  };
};
