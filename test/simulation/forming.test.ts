/** Formations as they go without a liar (rules N9, N7); with one, see the scenes and the seeds. */
import { runbookOf } from '@scs/operator/master/consensus/formation-step.ts';
import { toyCommand } from '@scs/operator/master/log/testing/toy-rules.ts';
import { expect, test } from 'vitest';
import { genuine } from './algorithm.ts';
import type { Master } from './master.ts';
import { Run } from './run.ts';

const aGroup = (): Run => {
  const run = new Run(1, genuine);
  for (const master of run.masters) master.start();
  run.masters[0]?.submit(toyCommand('before'));
  run.clockwork.until(1_000);
  return run;
};
const loseCounters = (masters: readonly Master[]): void => {
  for (const master of masters) {
    master.loseCounter();
    master.crash();
  }
};
const start = (masters: readonly Master[]): void => {
  for (const master of masters) master.start();
};
const pass = (run: Run, ms: number): void => run.clockwork.until(run.clockwork.now + ms);
const numbers = (run: Run): readonly number[] => run.masters.map((m) => m.formation.opened?.number ?? 0);
const conditions = (run: Run): readonly (string | undefined)[] => run.masters.map((m) => m.formation.condition?.code);
const decides = (run: Run, name: string): boolean => {
  run.masters[1]?.submit(toyCommand(name));
  pass(run, 5_000);
  return run.masters.every((m) => m.state?.chain.certified.head.height === run.invariants.commands.get(name));
};

test('N9: all three lose their counters: they form anew by themselves, above what was certified', () => {
  const run = aGroup();
  const height = run.masters[0]?.state?.chain.certified.head.height;
  loseCounters(run.masters);
  start(run.masters);
  pass(run, 5_000);
  expect(numbers(run)).toEqual([2, 2, 2]);
  expect(run.masters.map((m) => m.formation.opened?.base.height)).toEqual([height, height, height]);
  expect(decides(run, 'after')).toBe(true);
});

test('N9: the one whose counter lives takes part once both others have stated', () => {
  const run = aGroup();
  loseCounters(run.masters.slice(1));
  start(run.masters);
  pass(run, 8_000);
  expect(numbers(run)).toEqual([2, 2, 2]);
  expect(decides(run, 'after')).toBe(true);
});

test('N7, N8: one lost counter is no reason to form anew', () => {
  const run = aGroup();
  loseCounters(run.masters.slice(2));
  start(run.masters);
  pass(run, 5_000);
  expect(numbers(run)).toEqual([1, 1, 1]);
  expect(decides(run, 'after')).toBe(true);
});

test('N9: with one missing they are read-only and say so; when it comes, they form', () => {
  const run = aGroup();
  const height = run.masters[0]?.state?.chain.certified.head.height;
  loseCounters(run.masters);
  start(run.masters.slice(0, 2));
  run.masters[0]?.submit(toyCommand('meanwhile'));
  pass(run, 5_000);
  expect(conditions(run).slice(0, 2)).toEqual(['MasterMissing', 'MasterMissing']);
  expect(run.masters[0]?.formation.condition).toEqual({ code: 'MasterMissing', missing: [2] });
  expect(run.masters[0]?.state?.chain.certified.head.height).toBe(height);
  start(run.masters);
  pass(run, 5_000);
  expect(numbers(run)).toEqual([2, 2, 2]);
});

test('N9: a blank disk in a group that has begun stops the formation, and names the runbook', () => {
  const run = aGroup();
  loseCounters(run.masters);
  run.masters[2]?.disk.erase();
  start(run.masters);
  pass(run, 10_000);
  expect(numbers(run)).toEqual([1, 1, 1]);
  const blocked = run.masters.map((m) => m.formation.condition);
  expect(blocked[0]).toEqual({ code: 'DiskBlank', master: 2 });
  expect(blocked[0] && runbookOf(blocked[0])).toBe('docs/troubleshooting.md#diskblank');
});

test('N9: a counter that dies between the two rounds does not lock the group', () => {
  const run = aGroup();
  loseCounters(run.masters);
  start(run.masters.slice(0, 2));
  pass(run, 150);
  start(run.masters);
  const confirmed = (m: Master): boolean => m.formation.confirmation !== undefined;
  while (!run.masters.some(confirmed)) pass(run, 1);
  const unlucky = run.masters.filter((m) => !confirmed(m));
  expect(unlucky.length).toBeGreaterThan(0);
  loseCounters(unlucky);
  start(unlucky);
  pass(run, 8_000);
  expect(numbers(run)).toEqual([3, 3, 3]);
  expect(decides(run, 'after')).toBe(true);
});
