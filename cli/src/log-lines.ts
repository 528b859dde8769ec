/** The lines of a log, one after the other, each bounded: a log may be larger than memory, and comes from anywhere. */
import { MAX_BLOCK_BYTES } from '@scs/protocol';
import { CliError } from './errors.ts';

/** A block and its certificate. */
export const MAX_LINE_BYTES = MAX_BLOCK_BYTES + 64 * 1024;
const NEWLINE = 0x0a;

/** Throws CliError `LogMalformed` on a longer line. A last line without its end counts. */
export const logLines = async function* (chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, at)]);
      [parts, size, from] = [[], 0, at + 1];
    }
    const rest = chunk.subarray(from);
    size += rest.length;
    if (size > MAX_LINE_BYTES) throw new CliError('LogMalformed', `A line is longer than ${MAX_LINE_BYTES} bytes: that is no log.`);
    if (rest.length > 0) parts.push(rest);
  }
  if (size > 0) yield Buffer.concat(parts);
};
