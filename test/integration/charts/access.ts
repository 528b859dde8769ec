/** Who may do what, by the API server's own answer. */
import type { Api } from '../../cluster/api.ts';

export type Who = { readonly user: string; readonly groups: readonly string[] };
export type Attempt = {
  readonly verb: string;
  /** `resource`, `resource/subresource`, either with `.group` after the resource: `tasks.scp.symphony.foundation/status`. */
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
};

export const serviceAccount = (namespace: string, name: string): Who => ({
  user: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
});

const attributesOf = ({ verb, resource: text, namespace, name }: Attempt) => {
  const [full = '', subresource] = text.split('/');
  const [resource = '', ...group] = full.split('.');
  return {
    verb,
    resource,
    group: group.join('.'),
    subresource: subresource ?? '',
    namespace: namespace ?? '',
    name: name ?? '',
    version: '*',
  };
};

/** Throws when the server gives no clear answer. */
export const allowed = async (api: Api, who: Who, attempt: Attempt): Promise<boolean> => {
  const answer = await api.send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user: who.user, groups: who.groups, resourceAttributes: attributesOf(attempt) },
  });
  const review = JSON.parse(answer.body) as { status?: { allowed?: boolean; evaluationError?: string } };
  if (answer.status !== 201 || review.status?.evaluationError || review.status?.allowed === undefined)
    throw new Error(`no clear answer: ${answer.body.slice(0, 500)}`);
  return review.status.allowed;
};

/** Each attempt as `verb resource [namespace]` that the server would let pass. */
export const allowedOf = async (api: Api, who: Who, attempts: readonly Attempt[]): Promise<string[]> => {
  const passed: string[] = [];
  for (const attempt of attempts)
    if (await allowed(api, who, attempt)) passed.push([attempt.verb, attempt.resource, attempt.namespace].filter(Boolean).join(' '));
  return passed;
};

export const allVerbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;

export const attemptsOf = (
  verbs: readonly string[],
  resources: readonly string[],
  namespaces: readonly (string | undefined)[],
): Attempt[] =>
  namespaces.flatMap((namespace) =>
    resources.flatMap((resource) => verbs.map((verb) => ({ verb, resource, ...(namespace !== undefined && { namespace }) }))),
  );
