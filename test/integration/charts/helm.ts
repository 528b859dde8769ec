/** Helm over this repository's charts, for tests: render, or install into an API server. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { encodeGenesis, type Genesis } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { ensureHelm } from '../../cluster/tools.ts';

export type Chart = 'scs' | 'scs-enterprise';
/** An object as Helm writes it. */
export type Rendered = KubeObject & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
};

export type ChartOptions = {
  readonly namespace?: string;
  /** The genesis; null leaves it out, a string is taken as the file's text. */
  readonly genesis?: Genesis | string | null;
  /** `--set` arguments. */
  readonly set?: readonly string[];
};

export type Helm = {
  template(chart: Chart, options?: ChartOptions): Promise<Rendered[]>;
  /** What helm says when it refuses. Throws when it doesn't. */
  refusal(chart: Chart, options?: ChartOptions): Promise<string>;
  lint(chart: Chart, options?: ChartOptions): Promise<string>;
  install(release: string, chart: Chart, kubeconfig: string, options?: ChartOptions): Promise<string>;
  uninstall(release: string, namespace: string, kubeconfig: string): Promise<string>;
  /** Removes what Helm wrote beside us. */
  close(): void;
};

/** Newest Kubernetes that the charts are tried with; Helm alone would assume its own library's. */
const KUBE_VERSION = '1.37.0';
const chartFolder = (chart: Chart): string => resolve(import.meta.dirname, '../../../charts', chart);

const ofTheCluster = /^(Cluster|CustomResource|MutatingAdmission|ValidatingAdmission)/;
/** Helm puts what names no namespace into the release's. */
const placed = (object: Rendered, namespace: string): Rendered =>
  ofTheCluster.test(object.kind) ? object : { ...object, metadata: { namespace, ...object.metadata } };

export const openHelm = async (): Promise<Helm> => {
  const command = await ensureHelm();
  const folder = mkdtempSync(join(tmpdir(), 'scs-helm-'));
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(https?|all)_proxy$/i.test(name))),
    HELM_CACHE_HOME: join(folder, 'cache'),
    HELM_CONFIG_HOME: join(folder, 'config'),
    HELM_DATA_HOME: join(folder, 'data'),
  };
  const helm = async (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> =>
    (await promisify(execFile)(command, [...args], { env: { ...env, ...more }, maxBuffer: 32 * 1024 * 1024 })).stdout;
  let files = 0;
  const valuesOf = ({ genesis = aGenesis(), set = ['simulation=true'] }: ChartOptions): string[] => {
    const flags = set.flatMap((value) => ['--set', value]);
    if (genesis === null) return flags;
    const file = join(folder, `genesis-${(files += 1)}.bin`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, typeof genesis === 'string' ? genesis : encodeGenesis(genesis));
    return [...flags, '--set-file', `genesis=${file}`];
  };
  const template = async (chart: Chart, options: ChartOptions = {}): Promise<Rendered[]> => {
    const args = ['template', 'test', chartFolder(chart), '--kube-version', KUBE_VERSION, '-n', options.namespace ?? 'scs'];
    const documents = parseAllDocuments(await helm([...args, ...valuesOf(options)]));
    return documents
      .map((document) => document.toJS() as Rendered | null)
      .filter((object) => object !== null)
      .map((object) => placed(object, options.namespace ?? 'scs'));
  };
  return {
    template,
    refusal: (chart, options) =>
      template(chart, options).then(
        () => {
          throw new Error(`helm accepted ${JSON.stringify(options?.set)}`);
        },
        (thrown: Error & { stderr?: string }) => thrown.stderr ?? thrown.message,
      ),
    lint: (chart, options = {}) => helm(['lint', '--strict', chartFolder(chart), '--kube-version', KUBE_VERSION, ...valuesOf(options)]),
    install: (release, chart, kubeconfig, options = {}) =>
      helm(['install', release, chartFolder(chart), '-n', options.namespace ?? 'scs', ...valuesOf(options)], { KUBECONFIG: kubeconfig }),
    uninstall: (release, namespace, kubeconfig) =>
      helm(['uninstall', release, '-n', namespace, '--cascade', 'background'], { KUBECONFIG: kubeconfig }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** The one object of a kind and name. */
export const theOne = (objects: readonly Rendered[], kind: string, name: string): Rendered => {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} objects ${kind}/${name}`);
  return found[0];
};
