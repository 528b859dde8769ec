/** The certificate table that a host hands its SEV-SNP guests (GHCB 2.0, section 4.1.8.1): GUID, offset, length; ends with zeros. */
import { X509Certificate } from 'node:crypto';

const ENTRY_BYTES = 24;
const MAX_ENTRIES = 16;
const VCEK = '63da758d-e664-4564-adc5-f4b93be8ac71';
const ASK = '4ab7b379-bbac-4fe4-a02f-05aef327c782';

const guid = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** DER certificates by role; what is missing or lies outside of the table is absent. */
export const certificateTable = (table: Uint8Array): { readonly vcek?: Uint8Array; readonly ask?: Uint8Array } => {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const found = new Map<string, Uint8Array>();
  for (let i = 0; i < MAX_ENTRIES && (i + 1) * ENTRY_BYTES <= table.length; i++) {
    const at = i * ENTRY_BYTES;
    const [offset, length] = [view.getUint32(at + 16, true), view.getUint32(at + 20, true)];
    if (length === 0) break;
    if (offset + length <= table.length) found.set(guid(table.subarray(at, at + 16)), table.subarray(offset, offset + length));
  }
  const [vcek, ask] = [found.get(VCEK), found.get(ASK)];
  return { ...(vcek && { vcek }), ...(ask && { ask }) };
};

/** Throws on bytes that are no certificate. */
export const toPem = (der: Uint8Array): string => new X509Certificate(der).toString();
