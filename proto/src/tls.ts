/** Mutual TLS between parts (rules N5, N10): who may call is decided by the SAN URI under a registered authority, never by host name. */
import { X509Certificate } from 'node:crypto';
import {
  credentials,
  ServerCredentials,
  type ChannelCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';

export interface TlsFiles {
  readonly certificatePem: string;
  readonly keyPem: string;
}
/** Registered authorities by the identity that each may vouch for. */
export type Authorities = ReadonlyMap<string, string>;

export const masterIdentity = (index: number): string => `scs://master/${index}`;
export const enterpriseIdentity = (address: string): string => `scs://enterprise/${address}`;
/** A master's trusted counter, vouched for by its master's authority. */
export const counterIdentity = (index: number): string => `scs://counter/${index}`;

interface Registered {
  readonly masters: readonly { readonly tlsAuthority: string }[];
  readonly actors: readonly { readonly address: string; readonly enterprise?: { readonly tlsAuthority: string } | undefined }[];
}
/** From a genesis: each master's and each enterprise's authority. */
export const authoritiesOf = (genesis: Registered): Authorities =>
  new Map([
    ...genesis.masters.map((m, i): [string, string] => [masterIdentity(i), m.tlsAuthority]),
    ...genesis.actors.flatMap((a): [string, string][] =>
      a.enterprise ? [[enterpriseIdentity(a.address), a.enterprise.tlsAuthority]] : [],
    ),
  ]);

/** For the connection between one master and its counter, and for no other: a counter may call nobody else. */
export const counterAuthorities = (genesis: Registered, index: number): Authorities => {
  const authority = genesis.masters[index]?.tlsAuthority;
  if (authority === undefined) throw new RangeError(`there is no master ${index}`);
  return new Map([
    [masterIdentity(index), authority],
    [counterIdentity(index), authority],
  ]);
};

const bundle = (authorities: Authorities): Buffer => Buffer.from([...authorities.values()].join('\n'));

export const serverCredentials = (tls: TlsFiles, authorities: Authorities): ServerCredentials =>
  ServerCredentials.createSsl(
    bundle(authorities),
    [{ cert_chain: Buffer.from(tls.certificatePem), private_key: Buffer.from(tls.keyPem) }],
    true,
  );

/** Credentials of a client that talks only to `expected`. */
export const clientCredentials = (tls: TlsFiles, authorities: Authorities, expected: string): ChannelCredentials => {
  const authority = authorities.get(expected);
  if (!authority) throw new Error(`no authority is registered for ${expected}`);
  return credentials.createSsl(Buffer.from(authority), Buffer.from(tls.keyPem), Buffer.from(tls.certificatePem), {
    checkServerIdentity: (_host, certificate) =>
      uriOf(certificate) === expected ? undefined : new Error(`server is ${uriOf(certificate) ?? 'nameless'}, expected ${expected}`),
  });
};

const uriOf = (certificate: { readonly subjectaltname?: string | undefined }): string | undefined =>
  certificate.subjectaltname
    ?.split(', ')
    .find((name) => name.startsWith('URI:scs://'))
    ?.slice(4);

type Call = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown> | ServerReadableStream<unknown, unknown>;
/**
 * Whom the caller's certificate stands for: its SAN URI, if the certificate was issued by just that identity's authority. An
 * enterprise's authority can therefore not vouch for a master or for another enterprise.
 */
export const callerIdentity = (call: Call, authorities: Authorities): string | undefined => {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (!certificate) return undefined;
  const identity = uriOf(certificate);
  const authority = identity && authorities.get(identity);
  return authority && issuedOnce(certificate, authority) ? identity : undefined;
};

/** Certificates known to be issued by an authority: a connection carries many calls, and each asks. */
const issued = new Set<string>();
const MOST_ISSUED = 4096;
const issuedOnce = ({ raw, fingerprint256 }: { readonly raw: Buffer; readonly fingerprint256: string }, authority: string): boolean => {
  const key = `${fingerprint256} ${authority}`;
  if (issued.has(key)) return true;
  if (!issuedBy(raw, authority)) return false;
  issued.add(key);
  const oldest = issued.values().next().value;
  if (issued.size > MOST_ISSUED && oldest !== undefined) issued.delete(oldest);
  return true;
};

/** TLS proved the certificate under some registered authority; this says under which. */
const issuedBy = (der: Buffer, authorityPem: string): boolean =>
  new X509Certificate(der).verify(new X509Certificate(authorityPem).publicKey);
