import { publicKeyOf } from '@scs/protocol';
import { expect, test } from 'vitest';
import { openFormation, setDigest, signConfirmation, signStatement, type Statement, statementsFault } from './formation.ts';

const seeds = ['01', '02', '03'].map((b) => b.repeat(32));
const seedOf = (master: number): string => seeds[master] ?? '';
const group = { genesis: 'ab'.repeat(32), generation: 0n, keys: seeds.map(publicKeyOf) };
const statement = (master: number, change: Partial<Statement> = {}): Statement => ({
  genesis: group.genesis,
  generation: 0n,
  formation: 1,
  master,
  key: `0${master}`.repeat(32),
  ended: { key: `a${master}`.repeat(32), counter: 7 },
  certified: null,
  quiet: true,
  blank: false,
  ...change,
});
const signed = (value: Statement) => signStatement(seedOf(value.master), value);
const three = [0, 1, 2].map((m) => signed(statement(m)));
const confirm = (master: number, set: string) => signConfirmation(seedOf(master), { formation: 1, master, set });

test('N9: three statements, each confirmed by all, open a formation above its base', () => {
  const all = [0, 1, 2].map((m) => confirm(m, setDigest(three)));
  const opened = openFormation(group, 1, three, all, 9n);
  expect(opened.ok && opened.roster.map((i) => [i.master, i.from])).toEqual([
    [0, 10n],
    [1, 10n],
    [2, 10n],
  ]);
});

test('N9: a liar with a counter for each of the others opens nothing, whoever it confirms', () => {
  const other = [...three.slice(0, 2), signed(statement(2, { key: 'ee'.repeat(32) }))];
  const [a, b] = [setDigest(three), setDigest(other)];
  expect(openFormation(group, 1, three, [confirm(0, a), confirm(2, a)], 9n)).toEqual({
    ok: false,
    fault: { code: 'NotConfirmed', confirmed: 2 },
  });
  expect(openFormation(group, 1, other, [confirm(1, b), confirm(2, b)], 9n)).toEqual({
    ok: false,
    fault: { code: 'NotConfirmed', confirmed: 2 },
  });
});

test.each([
  ['one is missing', three.slice(0, 2), 'MasterMissing'],
  ['a statement of another formation', [...three.slice(0, 2), signed(statement(2, { formation: 2 }))], 'StatementInvalid'],
  ['a statement that somebody else signed', [...three.slice(0, 2), signStatement(seedOf(0), statement(2))], 'StatementInvalid'],
  ['one counter for two', [...three.slice(0, 2), signed(statement(2, { key: statement(1).key }))], 'CounterTwice'],
  ['a blank disk in a group that has begun', [...three.slice(0, 2), signed(statement(2, { blank: true, ended: null }))], 'DiskBlank'],
])('N9: no formation: %s', (_what, statements, code) => expect(statementsFault(group, 1, statements)?.code).toBe(code));

test('N9: a new group begins with blank disks', () =>
  expect(
    statementsFault(
      group,
      1,
      [0, 1, 2].map((m) => signed(statement(m, { blank: true, ended: null }))),
    ),
  ).toBeUndefined());
