import { expect, test } from 'vitest';
import { z } from 'zod';
import { stale } from '../../scripts/generate-crds.ts';
import { customResourceDefinition, undescribed } from './crd.ts';
import { definitions, Task } from './definitions.ts';

test('crds/ is what the schemas say', () => expect(stale()).toEqual([]));

test.each(definitions.map((d) => [d.kind, d] as const))('%s: every field has a text for kubectl explain', (_, definition) =>
  expect(undescribed(customResourceDefinition(definition))).toEqual([]),
);

test('names, plurals and short names are each used once', () => {
  const names = definitions.flatMap((d) => [d.plural, d.kind.toLowerCase(), ...d.shortNames]);
  expect(new Set(names).size).toBe(names.length);
});

test.each([
  ['a union', z.object({ x: z.union([z.string(), z.int()]) })],
  ['a record', z.object({ x: z.record(z.string(), z.string()) })],
  ['a tuple', z.object({ x: z.tuple([z.string()]) })],
  ['a bigint', z.object({ x: z.bigint() })],
  ['anything', z.object({ x: z.unknown() })],
  ['a strict object', z.object({ x: z.strictObject({}) })],
])('%s is refused here, not by the API server', (_, spec) =>
  expect(() => customResourceDefinition({ ...Task, spec, validations: {} })).toThrow(Error),
);

test('a rule for a field that does not exist is refused', () =>
  expect(() => customResourceDefinition({ ...Task, validations: { 'spec.nowhere': [] } })).toThrow('there is no spec.nowhere'));
