import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { issue, newAuthority } from './certificates.ts';
import { integer, oid, sequence, tagged } from './der.ts';

test('DER: lengths, identifiers and integers as X.690 has them', () => {
  expect(oid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
  expect(integer(Buffer.from([0x80])).toString('hex')).toBe('02020080');
  expect(tagged(4, Buffer.alloc(200)).subarray(0, 3).toString('hex')).toBe('0481c8');
  expect(sequence(Buffer.alloc(70_000)).subarray(0, 5).toString('hex')).toBe('3083011170');
});

test('a client certificate names user and groups and is signed by its authority', () => {
  const authority = newAuthority('test-ca');
  const client = new X509Certificate(issue(authority, { user: 'shop:alice', groups: ['submitters', 'all'] }).certificate);
  const ca = new X509Certificate(authority.certificate);
  expect(ca.ca).toBe(true);
  expect(client.verify(ca.publicKey)).toBe(true);
  expect(client.checkIssued(ca)).toBe(true);
  expect(client.subject.split('\n')).toEqual(['O=submitters', 'O=all', 'CN=shop:alice']);
  expect(client.ca).toBe(false);
});

test('a server certificate carries its addresses', () => {
  const server = new X509Certificate(issue(newAuthority('test-ca'), { user: 'api' }, ['127.0.0.1', 'localhost']).certificate);
  expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(server.checkHost('localhost')).toBe('localhost');
  expect(server.checkHost('elsewhere')).toBeUndefined();
});

test('another authority did not issue it', () => {
  const client = new X509Certificate(issue(newAuthority('one'), { user: 'a' }).certificate);
  expect(client.verify(new X509Certificate(newAuthority('one').certificate).publicKey)).toBe(false);
});
