import { describe, expect, test } from 'vitest';
import { checkSpecMap, type ReadFile } from './check-spec-map.ts';

const files: Record<string, string> = {
  'a.ts': 'export const home = 1;\nconst inner = 2;',
  'a.move': '    public entry fun settle(a: u64) {}',
  'a.test.ts': "test('T2: goes forward', () => {});",
  'b_tests.move': '/// T22 only',
};
const read: ReadFile = (path) => files[path];
const problemsOf = (yaml: string): readonly string[] =>
  checkSpecMap(yaml, read).problems.filter((problem) => !problem.endsWith('missing from the map'));

describe('the check of the rule map', () => {
  test.each`
    yaml                                                 | problem
    ${'Q1: { pending: later }'}                          | ${'Q1: there is no such rule'}
    ${'T99: { pending: later }'}                         | ${'T99: there is no such rule'}
    ${'T2: { code: [c.ts#home], test: [a.test.ts] }'}    | ${'T2: there is no file c.ts'}
    ${'T2: { code: [a.ts#inner], test: [a.test.ts] }'}   | ${'T2: a.ts declares no inner'}
    ${'T2: { code: [a.ts#hom], test: [a.test.ts] }'}     | ${'T2: a.ts declares no hom'}
    ${'T2: { code: [a.ts#home], test: [c.test.ts] }'}    | ${'T2: there is no test c.test.ts'}
    ${'T2: { code: [a.ts#home], test: [b_tests.move] }'} | ${'T2: b_tests.move does not name the rule'}
    ${'T3: { code: [a.ts#home], test: [a.test.ts] }'}    | ${'T3: a.test.ts does not name the rule'}
  `('$problem', ({ yaml, problem }: { yaml: string; problem: string }) => expect(problemsOf(yaml)).toEqual([problem]));

  test('an entry without code, test or reason is a problem', () => expect(problemsOf('T2: {}')).toHaveLength(1));
  test('sound entries are none', () =>
    expect(problemsOf('T2: { code: [a.ts#home, a.move#settle], test: [a.test.ts] }\nI1: { pending: class train }')).toEqual([]));
  test('every rule must be in the map; counts say how many are built', () => {
    const report = checkSpecMap('T2: { code: [a.ts#home], test: [a.test.ts], missing: much }\nI1: { pending: later }', read);
    expect(report).toMatchObject({ built: 0, partly: 1, pending: 1 });
    expect(report.problems).toHaveLength(86 - 2);
  });
});
