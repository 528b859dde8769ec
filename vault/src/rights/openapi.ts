/** The OpenAPI 3.1 document of the subjects' service, made of the schemas that it checks by. */
import { z } from 'zod';
import { components, operations, type Audience, type Operation } from './api.ts';

type Json = Readonly<Record<string, unknown>>;

const without = ({ $schema: _dialect, $id: _id, ...rest }: Json): Json => rest;
/** Of a parameter: it may leave out what has a default. */
const parameterSchema = (schema: z.ZodType): Json => without(z.toJSONSchema(schema, { io: 'input' }));
const componentSchemas = (): Json => {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(components)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, without(schema)]));
};
/** Bodies and replies are all named. */
const json = (schema: z.ZodType): Json => {
  const name = Object.entries(components).find(([, component]) => component === schema)?.[0];
  if (name === undefined) throw new Error('a body or reply of the API has no name');
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } };
};

const parametersOf = ({ path, parameter, query }: Operation): readonly Json[] => {
  const name = /\{(\w+)\}$/.exec(path)?.[1];
  return [
    ...(name && parameter ? [{ name, in: 'path', required: true, schema: parameterSchema(parameter) }] : []),
    ...Object.entries(query.shape).map(([key, value]) => ({
      name: key,
      in: 'query',
      required: false,
      schema: parameterSchema(value as z.ZodType),
    })),
  ];
};
const security: Readonly<Record<Audience, readonly Json[]>> = {
  anyone: [],
  subject: [{ token: [] }, { signature: [] }],
  auditor: [{ signature: [] }],
  producer: [{ signature: [] }],
};

const operationOf = (id: string, operation: Operation): Json => ({
  operationId: id,
  summary: operation.summary,
  security: security[operation.audience],
  parameters: parametersOf(operation),
  ...(operation.body && { requestBody: { required: true, content: json(operation.body) } }),
  responses: {
    200: {
      description: 'As asked.',
      content: { ...json(operation.reply), ...(id === 'export' && { 'text/csv': { schema: { type: 'string' } } }) },
    },
    default: { description: 'Why not.', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
  },
});

export const openApi = (version: string): Json => {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [id, operation] of Object.entries(operations) as [string, Operation][])
    (paths[operation.path] ??= {})[operation.method.toLowerCase()] = operationOf(id, operation);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Rights of data subjects at a Vault',
      version,
      description: 'What is held on a person, who used it for what; grant, revoke, export, erase.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: "A token of the Vault's OpenID Connect issuer." },
        signature: {
          type: 'apiKey',
          in: 'header',
          name: 'Signature',
          description:
            'HTTP Message Signature (RFC 9421) by an Ed25519 key: headers Signature-Input, Signature and Content-Digest. Signature-Input is, in this ' +
            'order, sig=("@method" "@path" "@query" "content-digest");created=SECONDS;expires=SECONDS;nonce="16 to 64 of A-Za-z0-9_-";keyid="HEX OF THE ' +
            'PUBLIC KEY";alg="ed25519";tag="scs-vault:HEX OF THE VAULT’S PUBLIC KEY". At most five minutes from created to expires; a nonce is taken once.',
        },
      },
    },
  };
};
