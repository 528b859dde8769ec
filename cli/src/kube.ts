/** The API server as the plugin needs it: Tasks, their results, the genesis. Errors become sentences. */
import { ApiException, CoreV1Api, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import { DomainStatus, GROUP, SettlementSpec, SettlementStatus, TaskSpec, TaskStatus, VERSION, type Task } from '@scs/protocol';
import type { Invocation, Options } from './command.ts';
import { CliError, UsageError } from './errors.ts';
import type { Odometer } from './estimate.ts';

/** Options of every command that talks to a cluster. */
export const kubeOptions = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
} as const satisfies Options;
export const KUBE_HELP = `  -n, --namespace NS    namespace of the task (default: the context's)
  --context NAME        kubeconfig context
  --kubeconfig FILE     kubeconfig file`;

/** One answer of the API server may take so long. */
const REQUEST_MS = 30_000;
/** A pod that stands still takes connections and never answers. */
const POD_MS = 5_000;
const PAGE = 500;
const MAX_TASKS = 10_000;

export interface KubeAccess {
  readonly namespace: string;
  /** In `namespace`, unless another one is given. */
  task(name: string, namespace?: string): Promise<Task>;
  /** Into the namespace that the task names. */
  createTask(task: Task, dryRun: boolean): Promise<Task>;
  /** data and binaryData (as bytes) together; undefined when it doesn't exist. */
  configMap(namespace: string, name: string): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
  /** As bytes; undefined when it doesn't exist. */
  secret(namespace: string, name: string): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
  /** What the masters show of a batch; undefined when they show none. Unchecked beyond its form. */
  settlement(name: string): Promise<SettlementObject | undefined>;
  /** Public odometers of a domain (B4), as the masters show them; undefined when they show none. Unchecked beyond their form. */
  odometers(domain: string): Promise<readonly Odometer[] | undefined>;
  /** What a pod answers to a GET, by the API server's proxy; undefined when there is no such pod. */
  fromPod(of: string, pod: string, port: number, path: string): Promise<string | undefined>;
  /** In `of`; objects that are no Tasks are left out. At most 10,000. */
  tasks(of: string): Promise<readonly Task[]>;
}

/** Throws CliError when there is no such context or file. Asks nothing yet. */
export const connect = (invocation: Invocation): KubeAccess => {
  const config = kubeConfig(invocation);
  const namespace = invocation.text('namespace') ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
  const objects = config.makeApiClient(CustomObjectsApi);
  const core = config.makeApiClient(CoreV1Api);
  const tasks = { group: GROUP, version: VERSION, plural: 'tasks' };
  const ask = asking(invocation.signal);
  return {
    namespace,
    task: (name, of = namespace) =>
      ask(`task ${of}/${name}`, async () => taskFrom(await objects.getNamespacedCustomObject({ ...tasks, namespace: of, name }))),
    createTask: (task, dryRun) => {
      const of = task.metadata.namespace ?? namespace;
      const request = { ...tasks, namespace: of, body: task, fieldManager: 'kubectl-symphony', fieldValidation: 'Strict' };
      return ask(`task ${of}/${task.metadata.name}`, async () =>
        taskFrom(await objects.createNamespacedCustomObject(dryRun ? { ...request, dryRun: 'All' } : request)),
      );
    },
    configMap: async (of, name) => {
      const found = await ifThere(ask(`ConfigMap ${of}/${name}`, () => core.readNamespacedConfigMap({ namespace: of, name })));
      return found && { ...bytesOf(found.data, 'utf8'), ...bytesOf(found.binaryData, 'base64') };
    },
    secret: async (of, name) => {
      const found = await ifThere(ask(`Secret ${of}/${name}`, () => core.readNamespacedSecret({ namespace: of, name })));
      return found && bytesOf(found.data, 'base64');
    },
    fromPod: (of, pod, port, path) =>
      ifThere(
        ask(`pod ${of}/${pod}`, () => core.connectGetNamespacedPodProxyWithPath({ namespace: of, name: `${pod}:${port}`, path }), POD_MS),
      ),
    settlement: async (name) => {
      const kind = { group: GROUP, version: VERSION, plural: 'settlements', name };
      const found = await ifThere(ask(`Settlement ${name}`, () => objects.getClusterCustomObject(kind)));
      return found === undefined ? undefined : settlementFrom(found);
    },
    odometers: async (domain) => {
      const kind = { group: GROUP, version: VERSION, plural: 'domains', name: domain };
      const found = await ifThere(ask(`Domain ${domain}`, () => objects.getClusterCustomObject(kind)));
      return found === undefined ? undefined : odometersFrom(found);
    },
    tasks: async (of) => {
      const found: Task[] = [];
      let page: string | undefined;
      do {
        const asked = page === undefined ? { limit: PAGE } : { limit: PAGE, _continue: page };
        const listed = ListObject.parse(
          await ask(`the tasks of ${of}`, () => objects.listNamespacedCustomObject({ ...tasks, namespace: of, ...asked })),
        );
        found.push(...listed.items.flatMap((item) => TaskObject.safeParse(item).data ?? []).map((task) => task as Task));
        page = listed.metadata.continue;
      } while (page && found.length < MAX_TASKS);
      return found;
    },
  };
};

const bytesOf = (data: Readonly<Record<string, string>> | undefined, encoding: 'utf8' | 'base64'): Record<string, Uint8Array> =>
  Object.fromEntries(Object.entries(data ?? {}).map(([key, text]) => [key, Buffer.from(text, encoding)]));

const ifThere = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  try {
    return await asked;
  } catch (cause) {
    if (cause instanceof CliError && cause.code === 'NotFound') return undefined;
    throw cause;
  }
};

const kubeConfig = (invocation: Invocation): KubeConfig => {
  const config = new KubeConfig();
  const file = invocation.text('kubeconfig');
  try {
    if (file) config.loadFromFile(file);
    else config.loadFromDefault();
  } catch (cause) {
    throw new CliError('KubeconfigInvalid', `The kubeconfig ${file ?? ''} can't be read: ${sentence(cause)}`);
  }
  const context = invocation.text('context');
  if (!context) return config;
  if (!config.getContextObject(context))
    throw new CliError('ContextUnknown', `The kubeconfig has no context ${context}. See kubectl config get-contexts.`);
  config.setCurrentContext(context);
  return config;
};

/** What the API server answers is checked like anything from outside: an object that is no Task is nobody's proof. */
const TaskObject = z.object({
  apiVersion: z.string(),
  kind: z.literal('Task'),
  metadata: z.looseObject({ name: z.string(), namespace: z.string(), uid: z.string().max(64).optional() }),
  spec: TaskSpec,
  status: TaskStatus.optional(),
});
const SettlementObject = z.object({ spec: SettlementSpec, status: SettlementStatus.optional() });
export type SettlementObject = z.infer<typeof SettlementObject>;
const settlementFrom = (object: unknown): SettlementObject => {
  const parsed = SettlementObject.safeParse(object);
  if (!parsed.success)
    throw new CliError('SettlementMalformed', `The API server's answer is not a Settlement:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
};

const DomainObject = z.object({ status: z.object({ odometers: DomainStatus.shape.odometers }).optional() });
const odometersFrom = (object: unknown): readonly Odometer[] | undefined => {
  const parsed = DomainObject.safeParse(object);
  if (!parsed.success) throw new CliError('DomainMalformed', `The API server's answer is not a Domain:\n${z.prettifyError(parsed.error)}`);
  return parsed.data.status?.odometers;
};

const ListObject = z.looseObject({
  metadata: z.looseObject({ continue: z.string().optional() }).default({}),
  items: z.array(z.unknown()).max(MAX_TASKS),
});
const taskFrom = (object: unknown): Task => {
  const parsed = TaskObject.safeParse(object);
  if (!parsed.success) throw new CliError('TaskMalformed', `The API server's answer is not a Task:\n${z.prettifyError(parsed.error)}`);
  return parsed.data as Task;
};

/** Asks with a time limit, and stops at once when the user interrupts. */
const asking =
  (signal: AbortSignal) =>
  async <T>(what: string, call: () => Promise<T>, limitMs = REQUEST_MS): Promise<T> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    const cutOff = new Promise<never>((_resolve, reject) => {
      const stop = () =>
        reject(
          signal.aborted
            ? new CliError('Interrupted', 'Interrupted.')
            : new CliError('ClusterUnreachable', `The API server gave no answer about ${what} in ${limitMs / 1000} s.`),
        );
      if (limit.aborted) stop();
      else limit.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([call(), cutOff]);
    } catch (cause) {
      throw cause instanceof CliError ? cause : refusal(what, cause);
    }
  };

const refusal = (what: string, cause: unknown): CliError => {
  if (!(cause instanceof ApiException))
    return new CliError('ClusterUnreachable', `The API server can't be asked for ${what}: ${sentence(cause)}`);
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

/** fetch hides what went wrong in `cause`. */
const sentence = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
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

/** "task/name", "tasks/name" or "name". Throws UsageError. */
export const taskName = (word: string | undefined): string => {
  const name = word?.replace(/^(tasks?|tasks?\.scp\.symphony\.foundation)\//, '');
  if (!name) throw new UsageError('Which task? Give task/NAME.');
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) throw new UsageError(`${name} is not a task's name.`);
  return name;
};
