/** The header of a CSV file (RFC 4180), read by ourselves: DuckDB would guess, and guess differently when a later row is malformed. */
import { open } from 'node:fs/promises';
import { ImportError } from './import-error.ts';

const MAX_BYTES = 64 * 1024;

/** Names in order. Throws ImportError. */
export const csvHeader = async (path: string): Promise<readonly string[]> => {
  const invalid = new ImportError('FormatInvalid', "the file can't be read as csv, row 0: its header is no line of names");
  const file = await open(path, 'r');
  let text: string;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    text = new TextDecoder('utf-8').decode(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
  const names: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  for (;;) {
    const match = field.exec(text);
    if (!match) throw invalid;
    const name = match[1]?.replaceAll('""', '"') ?? match[2]!;
    if (name === '') throw invalid;
    names.push(name);
    if (match[3] !== ',') break;
  }
  // A header that fills all that was read has no end.
  if (field.lastIndex >= MAX_BYTES) throw invalid;
  return names;
};
