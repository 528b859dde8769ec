import { ApiError } from './errors.ts';

/** Splits a stream into lines. A line beyond `maxBytes` ends it with `TooLarge`, so that no peer fills our memory. An unfinished last line is dropped. */
export async function* lines(stream: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10, from); ; end = chunk.indexOf(10, from)) {
      const part = chunk.subarray(from, end === -1 ? chunk.length : end);
      size += part.length;
      if (size > maxBytes) throw new ApiError('TooLarge', 200, `a line of the watch is longer than ${maxBytes} bytes`);
      parts.push(part);
      if (end === -1) break;
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
      from = end + 1;
      if (line.trim() !== '') yield line;
    }
  }
}
