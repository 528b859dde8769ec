/** Two builds in one group (rule X4): they agree up to the version that one of them lacks; that one stops, and goes on with the new build. */
import type { State } from '@scs/protocol';
import type { Rules } from '@scs/operator/master/log/rules-port.ts';
import { nameOf, toyCommand, toyRules } from '@scs/operator/master/log/testing/toy-rules.ts';
import { expect, test } from 'vitest';
import { genuine } from './algorithm.ts';
import type { Master } from './master.ts';
import { Run } from './run.ts';

const isSecond = (state: State): boolean => state.map.get('seen/activate') !== undefined;
/** From the block after `activate` on, version 2 takes what begins with `new`; a build of version 1 takes no block there. */
const build = (newest: 1 | 2): Rules => {
  const apply: Rules['apply'] = (state, command, at) => {
    if (isSecond(state) && newest < 2) return { ok: false, fault: { code: 'ProtocolVersionUnknown', message: 'version 2' } };
    if (nameOf(command).startsWith('new') && !isSecond(state)) return { ok: false, fault: { code: 'Bad', message: 'not in version 1' } };
    return toyRules.apply(state, command, at);
  };
  return {
    ...toyRules,
    apply,
    applyBlock: (state, block) => {
      if (isSecond(state) && newest < 2) return { ok: false, fault: { code: 'ProtocolVersionUnknown', message: 'version 2' } };
      const early = block.commands.find((c) => nameOf(c).startsWith('new') && !isSecond(state));
      return early ? { ok: false, fault: { code: 'Bad', message: 'not in version 1' } } : toyRules.applyBlock(state, block);
    },
  };
};
const give = (master: Master, newest: 1 | 2): void => {
  master.env = { ...master.env, rules: build(newest) };
};
const decides = (run: Run, name: string): void => {
  for (let ms = 0; ms < 20_000 && !run.invariants.commands.has(name); ms += 100) {
    for (const master of run.masters) master.submit(toyCommand(name));
    run.clockwork.until(run.clockwork.now + 100);
  }
  expect(run.invariants.commands.has(name)).toBe(true);
};
const same = (masters: readonly Master[]): boolean => new Set(masters.map((m) => m.state?.chain.certified.head.stateRoot)).size === 1;

test.each([1, 2, 3, 4, 5, 6])('X4: one build of three is the old one, which may lead: seed %i', (seed) => {
  const run = new Run(seed, genuine);
  const [old, ...others] = run.masters;
  if (!old) throw new RangeError('no master');
  give(old, 1);
  for (const master of others) give(master, 2);
  for (const master of run.masters) master.start();
  Object.assign(run.network.weather, { lossRate: 0.1, delayMs: 20 });
  for (const name of ['a', 'b', 'activate']) decides(run, name);
  for (const name of ['c', 'new1', 'new2']) decides(run, name);
  run.clockwork.until(run.clockwork.now + 5_000);
  expect(old.state?.halted).toContain('ProtocolVersionUnknown');
  old.crash();
  give(old, 2);
  run.network.heal();
  old.start();
  decides(run, 'd');
  run.clockwork.until(run.clockwork.now + 5_000);
  expect(old.state?.halted).toBeUndefined();
  expect(same(run.masters)).toBe(true);
});

test('X4: what only version 2 takes is not decided before it', () => {
  const run = new Run(7, genuine);
  for (const master of run.masters) give(master, 2);
  for (const master of run.masters) master.start();
  for (const master of run.masters) master.submit(toyCommand('new1'));
  run.clockwork.until(1_000);
  expect(run.invariants.commands.size).toBe(0);
  decides(run, 'activate');
  decides(run, 'new1');
});
