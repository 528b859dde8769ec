/** A message that decodes may say anything (rule N1): the machines take it without an exception, and without growing beyond bounds. */
import { FIRST_GENERATION } from '@scs/protocol';
import { formationState, formationStep } from '@scs/operator/master/consensus/formation-step.ts';
import { messages } from '@scs/operator/master/consensus/runtime/testing/arbitrary-messages.ts';
import type { Wire } from '@scs/operator/master/consensus/messages.ts';
import { step } from '@scs/operator/master/consensus/step.ts';
import type { State } from '@scs/operator/master/consensus/state.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { genuine } from './algorithm.ts';
import { formationEnv, given } from './forming.ts';
import { Scene } from './scene.ts';
import { GENESIS } from './trust.ts';

const scene = new Scene(genuine, 0);
scene.join();
scene.leads(0, ['a', 'b', 'c']);
const master = scene.master(1);
const roster = scene.state(1).chain.roster;
/** The liar's keys hold for everything: what is left is what the rules of the streams make of it. */
const env = { ...master.env, holds: { ui: () => true, vote: () => true, certificate: () => true } };
const known = roster.map(({ key }) => key);
const sized = ({ held, votes, blocks, vouches }: State): number =>
  [...held.values()].reduce((n, h) => n + h.size, 0) + votes.size + blocks.size + vouches.size;

test('N1: the agreement takes any sequence of messages that decode', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(messages, fc.nat(2), fc.nat(3), fc.bigInt(0n, 6n)), { maxLength: 30 }), (list) => {
      let state = scene.state(1);
      for (const [message, from, at, height] of list) {
        if (['hello', 'statement', 'confirmation', 'opened'].includes(message.kind)) continue;
        const near = replaced(message, known[at % known.length] ?? '', at, height);
        ({ state } = step(env, state, { kind: 'message', from, wire: near as Wire }));
      }
      ({ state } = step(env, state, { kind: 'tick', now: 5_000 }));
      expect(sized(state)).toBeLessThan(400);
    }),
    { numRuns: 200, seed: 4 },
  ));

/** Of this group, and close to where it stands: otherwise it is dropped at the door. */
const replaced = (value: unknown, key: string, counter: number, height: bigint): unknown => {
  if (value instanceof Uint8Array || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => replaced(item, key, counter, height));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name === 'key') return [name, key];
      if (name === 'counter') return [name, counter + 1];
      if (name === 'height' || name === 'certified') return [name, height];
      if (name === 'generation') return [name, FIRST_GENERATION];
      if (name === 'genesis') return [name, GENESIS];
      return [name, replaced(inner, key, counter, height)];
    }),
  );
};

test('N9: formations take any sequence of messages that decode', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(messages, fc.nat(2)), { maxLength: 30 }), (list) => {
      const forms = { ...formationEnv(1, () => true), attested: () => true };
      let state = formationState<string>(given(roster));
      for (const [message, from] of list) {
        if (message.kind === 'hello' || message.kind === 'confirmation' || message.kind === 'opened')
          ({ state } = formationStep(forms, state, { kind: 'wire', from, wire: message }));
      }
      expect(state.opened?.number).toBe(1);
    }),
    { numRuns: 200, seed: 4 },
  ));
