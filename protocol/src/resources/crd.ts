/** From a definition to the CustomResourceDefinition that says it to the API server: a structural schema with bounds, defaults, CEL and texts. */
import { z } from 'zod';
import { GROUP, VERSION } from './common.ts';
import type { Column, Definition, Validation } from './definitions.ts';

/** A node of a structural OpenAPI v3 schema, as far as we write one. */
export interface Schema {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  [keyword: string]: unknown;
}

/** What a structural schema may not have, though zod may write it. */
const refused = ['anyOf', 'oneOf', 'not', '$ref', 'const', 'prefixItems', 'additionalProperties'];

/** Throws a TypeError where zod gave something that the API server would refuse or silently prune. */
function structural(schema: Schema, path: string): Schema {
  for (const keyword of refused) if (keyword in schema) throw new TypeError(`${path} can't be a structural schema: ${keyword}`);
  if (schema.type === undefined) throw new TypeError(`${path} has no single type`);
  if (schema.type === 'integer') schema['format'] = 'int64';
  for (const [name, property] of Object.entries(schema.properties ?? {})) structural(property, `${path}.${name}`);
  if (schema.items !== undefined) structural(schema.items, `${path}[]`);
  return schema;
}

const schemaOf = (part: z.ZodObject, path: string): Schema =>
  structural(z.toJSONSchema(part, { target: 'openapi-3.0', io: 'input', unrepresentable: 'throw' }) as Schema, path);

/** The node at a path such as `spec.query.where[]`. Throws a TypeError if there is none: a definition names what doesn't exist. */
function at(root: Schema, path: string): Schema {
  let node: Schema | undefined = root;
  for (const step of path === '' ? [] : path.replaceAll('[]', '.[]').split('.')) {
    node = step === '[]' ? node?.items : node?.properties?.[step];
  }
  if (node === undefined) throw new TypeError(`there is no ${path}`);
  return node;
}

const asRules = (validations: readonly Validation[]): object[] =>
  validations.map(({ rule, message }) => ({ rule, message, ...(rule.includes('oldSelf') ? { reason: 'FieldValueForbidden' } : {}) }));

function annotate(root: Schema, definition: Definition): void {
  for (const [path, validations] of Object.entries(definition.validations))
    at(root, path)['x-kubernetes-validations'] = asRules(validations);
  const lists: NonNullable<Definition['lists']> = { 'status.conditions': { keys: ['type'] }, ...definition.lists };
  for (const [path, list] of Object.entries(lists)) {
    const node = at(root, path);
    node['x-kubernetes-list-type'] = list === 'set' ? 'set' : 'map';
    if (list !== 'set') node['x-kubernetes-list-map-keys'] = [...list.keys];
  }
}

function rootSchema(definition: Definition): Schema {
  const spec = schemaOf(definition.spec, 'spec');
  const status = schemaOf(definition.status, 'status');
  const root: Schema = {
    type: 'object',
    description: definition.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of this schema.' },
      kind: { type: 'string', description: 'Kind of this object.' },
      metadata: { type: 'object' },
      spec: { description: definition.namespaced ? 'What is wanted.' : 'What was decided.', ...spec },
      status: { description: 'What is so, as far as certified.', ...status },
    },
  };
  annotate(root, definition);
  return root;
}

const column = ({ name, jsonPath, type = 'string', priority, description }: Column): object => ({
  name,
  type,
  jsonPath,
  description,
  ...(priority === undefined ? {} : { priority }),
});

/** Throws a TypeError if a schema isn't structural or a path of the definition leads nowhere. */
export function customResourceDefinition(definition: Definition): object {
  const { kind, plural, shortNames, namespaced } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${GROUP}`,
      labels: { 'app.kubernetes.io/part-of': 'symphony-core-system' },
      // the objects are somebody's tasks and data: removing the chart does not remove them
      annotations: { 'helm.sh/resource-policy': 'keep' },
    },
    spec: {
      group: GROUP,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`, shortNames: [...shortNames], categories: ['scp'] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: definition.columns.map(column),
          selectableFields: definition.selectable.map((jsonPath) => ({ jsonPath })),
          schema: { openAPIV3Schema: rootSchema(definition) },
        },
      ],
    },
  };
}

/** Paths of all properties without a text for `kubectl explain`. */
export function undescribed(crd: object): string[] {
  const missing: string[] = [];
  const walk = (schema: Schema, path: string): void => {
    if (schema.description === undefined && !path.endsWith('[]') && path !== 'metadata') missing.push(path);
    for (const [name, property] of Object.entries(schema.properties ?? {})) walk(property, path === '' ? name : `${path}.${name}`);
    if (schema.items !== undefined) walk(schema.items, `${path}[]`);
  };
  const { spec } = crd as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  for (const version of spec.versions) walk(version.schema.openAPIV3Schema, '');
  return missing;
}
