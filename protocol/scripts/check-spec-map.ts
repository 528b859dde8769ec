/**
 * Checks `docs/spec-map.yaml`: every rule has its home in the code and a test that names its number, or says that it is pending.
 * `node protocol/scripts/check-spec-map.ts`; prints the counts, exits 1 with one line a problem.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

/** How many rules each group has; the map's keys must be exactly these. */
const GROUPS = { N: 10, T: 8, E: 3, S: 8, C: 5, B: 8, A: 5, M: 5, I: 3, H: 5, P: 5, K: 10, G: 7, X: 4 } as const;
const ruleNames = Object.entries(GROUPS).flatMap(([group, count]) => Array.from({ length: count }, (_, i) => `${group}${i + 1}`));

const text = z.string().min(1);
const Entry = z.union([
  z.strictObject({ pending: text }),
  z.strictObject({
    code: z.array(z.string().regex(/^[^#\s]+#\w+$/)).min(1),
    test: z.array(z.string().regex(/^\S+(\.test\.ts|_tests\.move)$/)).min(1),
    missing: text.optional(),
  }),
]);
type Entry = z.infer<typeof Entry>;
/** The text of a file of the repository, or undefined. */
export type ReadFile = (path: string) => string | undefined;

/** A declaration of that name, in TypeScript or Move. */
const declares = (source: string, symbol: string): boolean =>
  new RegExp(
    String.raw`^\s*(?:export\s+(?:declare\s+)?(?:async\s+)?(?:const|function|class|interface|type)|(?:public(?:\(package\))?\s+)?(?:entry\s+)?fun)\s+${symbol}\b`,
    'm',
  ).test(source);
const names = (source: string, rule: string): boolean => new RegExp(String.raw`\b${rule}\b`).test(source);

const codeProblem = (rule: string, place: string, read: ReadFile): string | undefined => {
  const [path, symbol] = place.split('#') as [string, string];
  const source = read(path);
  if (source === undefined) return `${rule}: there is no file ${path}`;
  return declares(source, symbol) ? undefined : `${rule}: ${path} declares no ${symbol}`;
};
const testProblem = (rule: string, path: string, read: ReadFile): string | undefined => {
  const source = read(path);
  if (source === undefined) return `${rule}: there is no test ${path}`;
  return names(source, rule) ? undefined : `${rule}: ${path} does not name the rule`;
};
const entryProblems = (rule: string, entry: Entry, read: ReadFile): string[] =>
  'pending' in entry
    ? []
    : [...entry.code.map((place) => codeProblem(rule, place, read)), ...entry.test.map((path) => testProblem(rule, path, read))].filter(
        (problem) => problem !== undefined,
      );

export interface Report {
  readonly problems: readonly string[];
  readonly built: number;
  readonly partly: number;
  readonly pending: number;
}
/** Throws on text that is no YAML map. */
export const checkSpecMap = (yaml: string, read: ReadFile): Report => {
  const map = z.record(z.string(), z.unknown()).parse(parse(yaml));
  const problems: string[] = [];
  const entries: (readonly [string, Entry])[] = [];
  for (const rule of ruleNames.filter((name) => !(name in map))) problems.push(`${rule}: missing from the map`);
  for (const [rule, value] of Object.entries(map)) {
    const entry = Entry.safeParse(value);
    if (!ruleNames.includes(rule)) problems.push(`${rule}: there is no such rule`);
    else if (entry.success) entries.push([rule, entry.data]);
    else problems.push(`${rule}: needs code and test, or pending: ${entry.error.issues[0]?.message ?? ''}`);
  }
  for (const [rule, entry] of entries) problems.push(...entryProblems(rule, entry, read));
  const pending = entries.filter(([, entry]) => 'pending' in entry).length;
  const partly = entries.filter(([, entry]) => 'missing' in entry).length;
  return { problems, pending, partly, built: entries.length - pending - partly };
};

const root = new URL('../../', import.meta.url);
const readFile: ReadFile = (path) => {
  try {
    return readFileSync(fileURLToPath(new URL(path, root)), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};
const main = (): number => {
  const { problems, built, partly, pending } = checkSpecMap(readFile('docs/spec-map.yaml') ?? '', readFile);
  for (const problem of problems) console.error(problem);
  console.log(`${built + partly + pending} rules: ${built} built, ${partly} built in part, ${pending} pending`);
  return problems.length === 0 ? 0 : 1;
};
if (import.meta.filename === process.argv[1]) process.exitCode = main();
