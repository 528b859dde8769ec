/** One plan over one snapshot: its output's numbers (`outputParts`), of all cells, empty ones too, clipped, not yet noised (S8, B7, X3). */
import { outputLength, type Plan } from '@scs/protocol';
import { compile, compileAudience, countEligible } from './compile.ts';
import { done, failed, type Outcome } from './fault.ts';
import { withHashGroupsListed } from './hash-groups.ts';
import { LockedDatabase, realTimer, type Limits, type Timer } from './locked-database.ts';

export interface Files {
  readonly snapshot: string;
  readonly eligible: string;
}

/** DuckDB's messages may quote values: only its kind of error is looked at, and none of its words leave. */
const readFault = (thrown: unknown): Outcome<never> =>
  thrown instanceof Error && /Out of Memory/i.test(thrown.message)
    ? failed('MemoryExceeded', "The query needs more than the slice's memory limit.")
    : failed('SnapshotUnreadable', 'The snapshot or the list of eligible subjects is not a readable Parquet file.');

const numbersInOrder = (rows: readonly (readonly unknown[])[], length: number): bigint[] => {
  const numbers = Array.from({ length }, () => 0n);
  for (const [place, number] of rows) numbers[Number(place)] = BigInt(String(number));
  return numbers;
};

type Compile = typeof compile;
type Rows = readonly (readonly unknown[])[];

const rowsOf = async (database: LockedDatabase, plan: Plan, files: Files, compiled: Compile): Promise<Outcome<Rows>> => {
  const columns = await database.columns(files.snapshot);
  const eligible = await database.columns(files.eligible);
  // One type in both: a conversion could make two subjects one.
  if (eligible.get('subject') !== columns.get('subject'))
    return failed('ColumnTypeUnfit', "The eligible subjects are not of the snapshot's type of subject.");
  const listed = await withHashGroupsListed(plan, columns, files, database);
  if (!listed.ok) return listed;
  const statement = compiled(listed.value, columns, files);
  return statement.ok ? done(await database.rows(statement.value)) : statement;
};

const evaluate = async (database: LockedDatabase, plan: Plan, files: Files): Promise<Outcome<bigint[]>> => {
  const rows = await rowsOf(database, plan, files, compile);
  return rows.ok ? done(numbersInOrder(rows.value, outputLength(plan))) : rows;
};
const select = async (database: LockedDatabase, plan: Plan, files: Files): Promise<Outcome<Uint8Array>> => {
  const rows = await rowsOf(database, plan, files, compileAudience);
  if (!rows.ok) return rows;
  const [[eligible] = ['0']] = await database.rows(countEligible(files.eligible));
  const bitmap = new Uint8Array(Math.ceil(Number(eligible) / 8));
  for (const [place] of rows.value) bitmap[Number(place) >> 3]! |= 1 << (Number(place) & 7);
  return done(bitmap);
};

type Work<T> = (database: LockedDatabase, plan: Plan, files: Files) => Promise<Outcome<T>>;
/** Never throws: whatever goes wrong is a fault with a stable code. */
const within =
  <T>(work: Work<T>) =>
  async (plan: Plan, files: Files, limits: Limits, timer: Timer = realTimer): Promise<Outcome<T>> => {
    let expired = false;
    let database: LockedDatabase | undefined;
    const callOff = timer(limits.timeoutMs, () => {
      expired = true;
      database?.interrupt();
    });
    const tooSlow = () => failed('ExecutorTimeout', `The query did not end within ${limits.timeoutMs} ms.`);
    try {
      database = await LockedDatabase.open([files.snapshot, files.eligible], limits);
      if (expired) return tooSlow();
      const outcome = await work(database, plan, files);
      return expired ? tooSlow() : outcome;
    } catch (thrown) {
      return expired ? tooSlow() : readFault(thrown);
    } finally {
      callOff();
      database?.[Symbol.dispose]();
    }
  };

/** The output's numbers. */
export const runPlan = within(evaluate);
/** Who is in any cell (T1), as a bit for each eligible subject in ascending order: for their own Vault alone. */
export const runAudience = within(select);
