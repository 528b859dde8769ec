/**
 * TLS certificates (rules N5, N10): every registered Ed25519 key is its own certificate authority; whom a certificate stands
 * for is a SAN URI, `scs://master/<index>` or `scs://enterprise/<address>`. Made by `kubectl symphony keygen`.
 */
import '@abraham/reflection';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ED25519 = { name: 'Ed25519' } as const;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface Authority {
  readonly certificatePem: string;
}
export interface TlsIdentity {
  /** Leaf certificate followed by its authority's. */
  readonly certificatePem: string;
  readonly keyPem: string;
}

const keyPair = async (seedHex: string): Promise<webcrypto.CryptoKeyPair> => {
  const pkcs8 = Buffer.concat([PKCS8_PREFIX, Buffer.from(seedHex, 'hex')]);
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ED25519, true, ['sign']);
  const jwk = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await webcrypto.subtle.importKey('jwk', { kty: 'OKP', crv: 'Ed25519', x: jwk.x! }, ED25519, true, ['verify']);
  return { privateKey, publicKey };
};

/** The authority of a registered key; `identity` is the URI that its certificates may carry. */
export const createAuthority = async (seedHex: string, identity: string, notBefore: Date, years: number): Promise<Authority> => {
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: randomBytes(15).toString('hex'),
      name: `CN=${commonName(identity)} authority`,
      notBefore,
      notAfter: yearsAfter(notBefore, years),
      keys: await keyPair(seedHex),
      signingAlgorithm: ED25519,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto as typeof globalThis.crypto,
  );
  return { certificatePem: certificate.toString('pem') };
};

/** A fresh key with a certificate for client and server use, signed by the authority's key. */
export const issue = async (
  authority: Authority,
  authoritySeedHex: string,
  identity: string,
  notBefore: Date,
  years: number,
): Promise<TlsIdentity> => {
  const keys = (await webcrypto.subtle.generateKey(ED25519, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const issuer = new X509Certificate(authority.certificatePem);
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomBytes(15).toString('hex'),
      subject: `CN=${commonName(identity)}`,
      issuer: issuer.subject,
      notBefore,
      notAfter: yearsAfter(notBefore, years),
      publicKey: keys.publicKey,
      signingKey: (await keyPair(authoritySeedHex)).privateKey,
      signingAlgorithm: ED25519,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([SERVER_AUTH, CLIENT_AUTH]),
        new SubjectAlternativeNameExtension([{ type: 'url', value: identity }]),
      ],
    },
    webcrypto as typeof globalThis.crypto,
  );
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificatePem: `${certificate.toString('pem')}\n${authority.certificatePem}\n`,
    keyPem: PemConverter.encode(pkcs8, 'PRIVATE KEY'),
  };
};

/** Throws if the PEM is not an Ed25519 certificate; hex of its key. */
export const authorityKey = (pem: string): string => {
  const spki = Buffer.from(new X509Certificate(pem).publicKey.rawData);
  if (spki.length !== 44) throw new Error('the authority is not an Ed25519 certificate');
  return spki.subarray(12).toString('hex');
};

/** Names of at most 64 characters: X.509's limit. */
const commonName = (identity: string): string =>
  identity
    .replace('scs://', '')
    .replace(/[/,=+]/g, '-')
    .slice(0, 40);
const yearsAfter = (from: Date, years: number): Date => new Date(from.getTime() + years * 365 * 86_400_000);

/** PEM (PKCS#8) of an Ed25519 seed in hex. */
export const seedToPem = (seedHex: string): string =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, Buffer.from(seedHex, 'hex')]), format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
