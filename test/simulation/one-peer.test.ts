/** What one peer can cost the others (rules N1, N7): nothing that grows with its patience, and nobody else's messages. */
import { digest, encodeCommand, utf8 } from '@scs/protocol';
import { toyCommand } from '@scs/operator/master/log/testing/toy-rules.ts';
import { openStream } from '@scs/operator/master/consensus/stream.ts';
import { step } from '@scs/operator/master/consensus/step.ts';
import type { State } from '@scs/operator/master/consensus/state.ts';
import { expect, test } from 'vitest';
import { genuine } from './algorithm.ts';
import { admissionOf } from './master.ts';
import { Scene } from './scene.ts';

const keyOf = (name: string): string => digest('simulated-counter', utf8(name));
const begun = (names: readonly string[] = ['a', 'b', 'c']): Scene => {
  const scene = new Scene(genuine, 0);
  scene.join();
  scene.leads(0, names);
  return scene;
};

test('N7: a peer is sent what it lacks of every stream, however many there are and wherever it is stuck', () => {
  const scene = begun();
  const state = scene.state(1);
  const live = scene.master(0).counter.key;
  const stuck = Array.from({ length: 20 }, (_, i) => ({ ...openStream(keyOf(`old${i}`), 0, 0n), tail: scene.own() }));
  const streams = new Map([...stuck.map((s) => [s.key, s] as const), ...state.streams]);
  const next = [...streams.keys()].map((key) => ({ key, counter: 1 }));
  const status = { kind: 'status', certified: 0n, fetching: 0n, next } as const;
  const { outputs } = step(scene.master(1).env, { ...state, streams }, { kind: 'message', from: 2, wire: status });
  const sent = outputs.flatMap((o) => (o.kind === 'send' && o.wire.kind === 'stream' ? [o.wire.message.ui.key] : []));
  expect(sent).toContain(live);
  expect(sent.length).toBeLessThanOrEqual(48);
});

test('N1: bytes beside a certificate that are not the certified block are not looked into', () => {
  const scene = begun(['a']);
  const tip = scene.state(1).chain.certified;
  const votes = [0, 2].map((i) => scene.master(i).env.sign(tip.head));
  const { env } = scene.master(2);
  const rules = {
    ...env.rules,
    applyBlock: () => {
      throw new Error('looked into');
    },
  };
  const blank = new Scene(genuine, 0).state(2);
  const { bytes } = scene.offer('other');
  const wire = { kind: 'certified', bytes, certificate: { head: tip.head, votes } } as const;
  expect(step({ ...env, rules }, blank, { kind: 'message', from: 0, wire }).state.chain).toBe(blank.chain);
});

test('N1: checkpoints that vouch for counters nobody has fill no memory', () => {
  const scene = begun(['a']);
  const { env } = scene.master(1);
  const all = { ...env, holds: { ui: () => true, vote: () => true, certificate: () => true } };
  const tip = scene.state(1).chain.certified;
  let state: State = scene.state(1);
  for (let i = 0; i < 60; i += 1) {
    const height = BigInt(env.limits.checkpointEvery);
    const seen = Array.from({ length: 9 }, (_, j) => ({ key: keyOf(`${i}/${j}`), counter: 1 }));
    const certificate = { head: { ...tip.head, height }, votes: [] };
    const message = {
      body: { kind: 'checkpoint', view: 0, height, certificate, lead: null, seen } as const,
      ui: { key: scene.counter.key, counter: 100 + i, signature: '' },
    };
    ({ state } = step(all, state, { kind: 'message', from: 0, wire: { kind: 'stream', message } }));
  }
  expect(state.vouches.size).toBeLessThanOrEqual(64 + state.chain.roster.length);
});

test('N8: a master that changes its counter again and again leaves no stream behind for each', () => {
  const scene = new Scene(genuine, 2);
  scene.join();
  for (let i = 0; i < 30; i += 1) {
    const fresh = scene.another();
    scene.submit(0, admissionOf(scene.liar, fresh));
    scene.until(() => scene.honest().every(({ index }) => scene.state(index).chain.roster.some(({ key }) => key === fresh.key)));
    const from = scene.state(0).chain.roster.find(({ key }) => key === fresh.key)?.from ?? 0n;
    scene.until(() => {
      scene.follows(0, from);
      return scene.certified(0) >= from;
    });
  }
  expect(scene.state(0).chain.roster.length).toBe(33);
  expect(scene.state(0).streams.size).toBeLessThan(16);
  scene.close();
});

test('N1, N7: a peer that brings untrue commands without end keeps nobody else out of the blocks', () => {
  const scene = new Scene(genuine, 2);
  scene.join();
  let lies = 0;
  let wanted = true;
  const flood = (): void => {
    for (let i = 0; i < 20; i += 1) {
      lies += 1;
      const wire = { kind: 'command', bytes: encodeCommand(toyCommand(`lie${lies}`)) } as const;
      for (const to of [0, 1]) scene.wire(to, wire);
    }
    if (wanted) scene.clockwork.after(5, flood);
  };
  flood();
  scene.pass(200);
  for (let i = 0; i < 5; i += 1) {
    const name = scene.submit(i % 2);
    expect(scene.until(() => scene.invariants.commands.has(name), 2_000)).toBe(true);
  }
  expect(scene.state(1).pool.size).toBeLessThanOrEqual(scene.master(1).env.limits.poolCommands / 4 + 8);
  wanted = false;
});

test('N7: what a peer brings that is true is decided, though some of what it brings again and again is not', () => {
  const scene = new Scene(genuine, 2);
  scene.join();
  let wanted = true;
  const bring = (): void => {
    for (const name of ['lie1', 'lie2', 'true', 'lie3'])
      for (const to of [0, 1]) scene.wire(to, { kind: 'command', bytes: encodeCommand(toyCommand(name)) });
    if (wanted) scene.clockwork.after(5, bring);
  };
  bring();
  expect(scene.until(() => scene.invariants.commands.has('true'), 5_000)).toBe(true);
  wanted = false;
});
