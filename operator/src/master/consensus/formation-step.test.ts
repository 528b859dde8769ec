/** What formations found out the hard way (rule N9), each as its exact order of events; whole formations are in test/simulation. */
import { publicKeyOf } from '@scs/protocol';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { expect, test } from 'vitest';
import { signConfirmation, signStatement, type Signed, type Statement } from './formation.ts';
import {
  type FormationEnv,
  type FormationInput,
  formationState,
  formationStep,
  type FormationState,
  type Standing,
} from './formation-step.ts';

const seeds = ['01', '02', '03'].map((b) => b.repeat(32));
const seedOf = (master: number): string => seeds[master] ?? '';
const env: FormationEnv<string> = {
  index: 2,
  group: { genesis: digestOf('genesis'), generation: 0n, keys: seeds.map(publicKeyOf) },
  freshMs: 1_000,
  signStatement: (value) => signStatement(seedOf(2), value),
  signConfirmation: (value) => signConfirmation(seedOf(2), value),
  attested: () => true,
};
const statement = (master: number, formation: number, change: Partial<Statement> = {}): Signed<Statement> =>
  signStatement(seedOf(master), {
    genesis: env.group.genesis,
    generation: 0n,
    formation,
    master,
    key: digestOf(`counter ${master}`),
    ended: null,
    certified: null,
    quiet: true,
    blank: false,
    ...change,
  });
const standing: Standing = {
  key: digestOf('counter 2'),
  used: false,
  admitted: false,
  certified: null,
  quiet: true,
  ended: null,
  blank: false,
};
const says = (from: number, said: Signed<Statement>): FormationInput<string> => ({
  kind: 'wire',
  from,
  wire: { kind: 'statement', statement: said, attestation: 'good' },
});
const tick = (now: number, change: Partial<Standing> = {}): FormationInput<string> => ({
  kind: 'tick',
  now,
  standing: { ...standing, ...change },
});

const run = (inputs: readonly FormationInput<string>[]): FormationState<string> =>
  inputs.reduce((before, input) => {
    const { state, outputs } = formationStep(env, before, input);
    const asked = outputs.find((o) => o.kind === 'attest');
    return asked ? formationStep(env, state, { kind: 'attested', value: asked.value, attestation: 'good' }).state : state;
  }, formationState<string>());
const known = (state: FormationState<string>, master: number): number | undefined => state.statements.get(master)?.value.value.formation;

test('N9: a master that forgot its higher statement in a crash is heard again; a late message of its is not', () => {
  const before = [tick(0), says(0, statement(0, 4))];
  expect(known(run([...before, says(0, statement(0, 3))]), 0)).toBe(4);
  expect(known(run([...before, tick(5_000), says(0, statement(0, 3))]), 0)).toBe(3);
});

test.each([
  ['all three have decided nothing above it', {}, {}, true],
  ['another one has', { quiet: false }, {}, false],
  ['this one has', {}, { quiet: false }, false],
])('N9: a master confirms a base when %s', (_when, theirs, mine, confirms) => {
  const state = run([tick(0, mine), says(0, statement(0, 1)), says(1, statement(1, 1, theirs)), tick(10, mine)]);
  expect(state.confirmation !== undefined).toBe(confirms);
});
