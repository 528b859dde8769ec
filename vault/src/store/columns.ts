/** Rows and columns to and from DuckDB without a statement or an object for each. */
import {
  BIGINT,
  DuckDBBigIntVector,
  DuckDBDataChunk,
  DuckDBUIntegerVector,
  type DuckDBAppender,
  type DuckDBResult,
  type DuckDBVector,
} from '@duckdb/node-api';

/** What is appended has the column's type. */
export type Cell = string | bigint | boolean | Uint8Array | null;
const CHUNK_ROWS = 2048;

const appendCell = (appender: DuckDBAppender, cell: Cell): void => {
  if (cell === null) appender.appendNull();
  else if (typeof cell === 'bigint') appender.appendBigInt(cell);
  else if (typeof cell === 'string') appender.appendVarchar(cell);
  else if (typeof cell === 'boolean') appender.appendBoolean(cell);
  else appender.appendBlob(cell);
};
export const appendRows = (appender: DuckDBAppender, rows: readonly (readonly Cell[])[]): void => {
  for (const row of rows) {
    for (const cell of row) appendCell(appender, cell);
    appender.endRow();
  }
  appender.closeSync();
};

const bigints = (vector: DuckDBVector): DuckDBBigIntVector => {
  if (vector instanceof DuckDBBigIntVector) return vector;
  throw new TypeError('the column is not of BIGINT');
};
const unsigned = (vector: DuckDBVector): DuckDBUIntegerVector => {
  if (vector instanceof DuckDBUIntegerVector) return vector;
  throw new TypeError('the column is not of UINTEGER');
};
export interface NumberedSet {
  readonly reservation: bigint;
  readonly numbers: Uint32Array;
}
/** A row (reservation, number) of two BIGINT columns for each number of each set. */
export const appendSets = (appender: DuckDBAppender, sets: readonly NumberedSet[]): void => {
  const chunk = DuckDBDataChunk.create([BIGINT, BIGINT], CHUNK_ROWS);
  let rows = 0;
  const flush = (): void => {
    if (rows === 0) return;
    chunk.rowCount = rows;
    first.flush();
    second.flush();
    appender.appendDataChunk(chunk);
    rows = 0;
  };
  const [first, second] = [bigints(chunk.getColumnVector(0)), bigints(chunk.getColumnVector(1))];
  for (const { reservation, numbers } of sets)
    for (const number of numbers) {
      first.setItem(rows, reservation);
      second.setItem(rows, BigInt(number));
      if (++rows === CHUNK_ROWS) flush();
    }
  flush();
  appender.closeSync();
};

const chunksOf = async function* (result: DuckDBResult): AsyncGenerator<DuckDBDataChunk, void> {
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    yield chunk;
  }
};
export const numbersOf = async (result: DuckDBResult): Promise<Uint32Array> => {
  let numbers = new Uint32Array(CHUNK_ROWS);
  let count = 0;
  for await (const chunk of chunksOf(result)) {
    const column = unsigned(chunk.getColumnVector(0));
    if (count + chunk.rowCount > numbers.length) {
      const wider = new Uint32Array(2 * numbers.length + chunk.rowCount);
      wider.set(numbers);
      numbers = wider;
    }
    for (let i = 0; i < chunk.rowCount; i++) numbers[count++] = column.getItem(i)!;
  }
  return numbers.slice(0, count);
};
export const sumsOf = async (result: DuckDBResult, visit: (number: number, sum: bigint) => void): Promise<void> => {
  for await (const chunk of chunksOf(result)) {
    const [numbers, sums] = [unsigned(chunk.getColumnVector(0)), bigints(chunk.getColumnVector(1))];
    for (let i = 0; i < chunk.rowCount; i++) visit(numbers.getItem(i)!, sums.getItem(i)!);
  }
};
