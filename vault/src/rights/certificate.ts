/** The certificate that browsers are shown: read from the mounted Secret, and again when it was renewed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}
/** undefined while the Secret is missing, half written or no certificate with its key. */
export const readCertificate = async (folder: string): Promise<Certificate | undefined> => {
  try {
    const [cert, key] = await Promise.all([readFile(join(folder, 'tls.crt'), 'utf8'), readFile(join(folder, 'tls.key'), 'utf8')]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch {
    // Whatever is wrong, there is none to serve with; the caller says so.
    return undefined;
  }
};
