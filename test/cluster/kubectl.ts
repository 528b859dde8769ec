import { attempt, run, type RunResult } from './run.ts';
import { ensureKubectl } from './tools.ts';

/** kubectl with one kubeconfig and the proxy variables cleared, for tests and scripts. */
export type Kubectl = {
  /** Runs and returns stdout. Throws with stderr when it fails. */
  (...args: readonly string[]): Promise<string>;
  /** Runs and returns the exit code and both streams. */
  attempt(...args: readonly string[]): Promise<RunResult>;
  /** Applies objects. */
  apply(...objects: readonly object[]): Promise<string>;
  /** Applies a manifest as text. */
  applyText(manifest: string): Promise<string>;
  /** The same, for a manifest that may be refused. */
  attemptText(manifest: string): Promise<RunResult>;
  readonly kubeconfig: string;
};

const withoutProxy = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(https?|all)_proxy$/i.test(name)));

export const kubectlOf = async (kubeconfig: string): Promise<Kubectl> => {
  const command = await ensureKubectl();
  const options = { env: { ...withoutProxy(), KUBECONFIG: kubeconfig } };
  return Object.assign((...args: readonly string[]) => run(command, args, options), {
    attempt: (...args: readonly string[]) => attempt(command, args, options),
    kubeconfig,
    attemptText: (manifest: string) => attempt(command, ['apply', '-f', '-'], { ...options, input: manifest }),
    applyText: (manifest: string) => run(command, ['apply', '-f', '-'], { ...options, input: manifest }),
    apply: (...objects: readonly object[]) =>
      run(command, ['apply', '-f', '-'], { ...options, input: objects.map((object) => JSON.stringify(object)).join('\n---\n') }),
  });
};
