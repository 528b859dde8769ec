import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { operations } from './api.ts';
import { openApi } from './openapi.ts';
import { problemOf, problems, type ProblemCode } from './problem.ts';

const document = openApi('1.0.0');

test('C4: the document is OpenAPI 3.1, and every reference in it leads somewhere', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  const names = Object.keys((document['components'] as { schemas: object }).schemas);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  expect(references.length).toBeGreaterThan(20);
  expect(names).toEqual(expect.arrayContaining(references));
});

test('every operation says who may ask', () => {
  const paths = document['paths'] as Record<string, Record<string, { security: object[] }>>;
  for (const { path, method, audience } of Object.values(operations))
    expect(paths[path]?.[method.toLowerCase()]?.security.map((way) => Object.keys(way)[0])).toEqual(
      { anyone: [], subject: ['token', 'signature'], auditor: ['signature'], producer: ['signature'] }[audience],
    );
});

test.each(Object.keys(problems) as ProblemCode[])('%s is a problem of RFC 9457', (code) => {
  expect(problemOf(code)).toMatchObject({
    type: 'about:blank',
    code,
    status: problems[code].status,
    title: expect.stringMatching(/\w+/) as unknown,
  });
});
