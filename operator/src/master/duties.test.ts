/** N6: a primary that doesn't do its effects loses the view; one that is new, or late now and then, doesn't. */
import { expect, test } from 'vitest';
import { fakeClock } from '../kube/clock.ts';
import { Duties } from './duties.ts';

const begin = () => {
  const clock = fakeClock(0);
  const said: string[] = [];
  let view = 4;
  const duties = new Duties({ view: () => view, clock, onNeglected: (of, what) => said.push(`${of} ${what}`) });
  duties.repaired('task/0');
  return { clock, said, duties, next: () => void (view += 1) };
};
const repair = (duties: Duties, count: number): void => {
  for (let i = 0; i < count; i += 1) duties.repaired(`task/${i}`);
};

test('N6: one piece of work for the chain, or many a status', () => {
  const { clock, said, duties } = begin();
  clock.advance(10_000);
  repair(duties, 9);
  expect(said).toEqual([]);
  duties.repaired('task/9');
  expect(said).toEqual(['4 task/9']);
  clock.advance(10_000);
  duties.landed('batch/7');
  expect(said).toEqual(['4 task/9', '4 batch/7']);
});

test('N6: what the one before has left undone is not held against a new primary', () => {
  const { clock, said, duties, next } = begin();
  clock.advance(9_999);
  repair(duties, 20);
  duties.landed('batch/7');
  clock.advance(60_000);
  next();
  repair(duties, 20);
  duties.landed('batch/8');
  expect(said).toEqual([]);
});

test('N6: where it is the machines that are slow, primaries follow each other more and more slowly', () => {
  const { clock, said, duties, next } = begin();
  for (let second = 0; second < 600; second += 1) {
    clock.advance(1_000);
    repair(duties, 10);
    if (said.length > 0 && said.at(-1)?.startsWith(`${said.length + 3} `)) next();
  }
  expect(said.length).toBeLessThanOrEqual(7);
});
