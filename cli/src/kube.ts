/** The API server as the plugin needs it: Tasks, their results, the genesis. Errors become sentences. */
import { ApiException, CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { GROUP, VERSION, type Task } from '@scs/protocol';
import type { Invocation, Options } from './command.ts';
import { CliError } from './errors.ts';

/** Options of every command that talks to a cluster. */
export const kubeOptions = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
} as const satisfies Options;
export const KUBE_HELP = `  -n, --namespace NS    namespace of the task (default: the context's)
  --context NAME        kubeconfig context
  --kubeconfig FILE     kubeconfig file`;

export interface KubeAccess {
  readonly namespace: string;
  task(name: string): Promise<Task>;
  createTask(task: Task, dryRun: boolean): Promise<Task>;
  /** data and binaryData (as bytes) together; undefined when it doesn't exist. */
  configMap(namespace: string, name: string): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
}

export const connect = (invocation: Invocation): KubeAccess => {
  const config = new KubeConfig();
  const file = invocation.text('kubeconfig');
  if (file) config.loadFromFile(file);
  else config.loadFromDefault();
  const context = invocation.text('context');
  if (context) {
    if (!config.getContextObject(context))
      throw new CliError('ContextUnknown', `The kubeconfig has no context ${context}. See kubectl config get-contexts.`);
    config.setCurrentContext(context);
  }
  const namespace = invocation.text('namespace') ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const objects = config.makeApiClient(CustomObjectsApi);
  const core = config.makeApiClient(CoreV1Api);
  const where = { group: GROUP, version: VERSION, plural: 'tasks', namespace };
  return {
    namespace,
    task: (name) => asked(`task ${namespace}/${name}`, async () => (await objects.getNamespacedCustomObject({ ...where, name })) as Task),
    createTask: (task, dryRun) =>
      asked(`task ${task.metadata.namespace}/${task.metadata.name}`, async () => {
        const options = {
          ...where,
          namespace: task.metadata.namespace ?? namespace,
          body: task,
          fieldManager: 'kubectl-symphony',
          fieldValidation: 'Strict',
        };
        return (await objects.createNamespacedCustomObject(dryRun ? { ...options, dryRun: 'All' } : options)) as Task;
      }),
    configMap: async (of, name) => {
      try {
        const found = await core.readNamespacedConfigMap({ namespace: of, name });
        const text = Object.entries(found.data ?? {}).map(([k, v]): [string, Uint8Array] => [k, Buffer.from(v)]);
        const binary = Object.entries(found.binaryData ?? {}).map(([k, v]): [string, Uint8Array] => [k, Buffer.from(v, 'base64')]);
        return Object.fromEntries([...text, ...binary]);
      } catch (cause) {
        if (cause instanceof ApiException && cause.code === 404) return undefined;
        throw asCliError(`ConfigMap ${of}/${name}`, cause);
      }
    },
  };
};

const asked = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (cause) {
    throw asCliError(what, cause);
  }
};

const asCliError = (what: string, cause: unknown): CliError => {
  if (!(cause instanceof ApiException))
    return new CliError(
      'ClusterUnreachable',
      `The API server can't be asked for ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  const message = statusMessage(cause.body) ?? `HTTP ${cause.code}`;
  if (cause.code === 404) return new CliError('NotFound', `There is no ${what}: ${message}`);
  if (cause.code === 409)
    return new CliError(
      'AlreadyExists',
      `${what} exists already. A task's spec can't be changed: choose another name, or delete it first.`,
    );
  if (cause.code === 401 || cause.code === 403) return new CliError('Forbidden', `The API server refused ${what}: ${message}`);
  return new CliError('Refused', `The API server refused ${what}: ${message}`);
};

/** client-node leaves the body of an error unparsed. */
const statusMessage = (body: unknown): string | undefined => {
  try {
    const parsed: unknown = typeof body === 'string' ? JSON.parse(body) : body;
    return typeof parsed === 'object' && parsed !== null && 'message' in parsed && typeof parsed.message === 'string'
      ? parsed.message
      : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
};

/** "task/name", "tasks/name" or "name". */
export const taskName = (word: string | undefined): string => {
  const name = word?.replace(/^(tasks?|task\.scp\.symphony\.foundation)\//, '');
  if (!name) throw new CliError('Usage', 'Which task? Give task/NAME.');
  return name;
};
