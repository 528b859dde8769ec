import { createRequire } from 'node:module';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build as bundle, type Plugin } from 'esbuild';
import { librariesOf } from './libraries.ts';
import { pauseImage } from './node-config.ts';
import { type Image, storeImage, storeLayer } from './oci.ts';
import type { Entry } from './tar.ts';

export type { Image } from './oci.ts';

/** One of our images: a Node program in one file, over the Node layer that all share. */
export type ImageSpec = {
  /** Such as `scs-vault`. */
  name: string;
  /** Full reference; default `scs.local/<name>:dev`. */
  ref?: string;
  /** The program's entry point (TypeScript or JavaScript), relative to the repository. */
  entry: string;
  /** Packages that can't be bundled (native add-ons, or those that load one), copied whole to /app/node_modules. */
  packages?: readonly (string | { name: string; only: RegExp })[];
  /** Further patterns that the bundler leaves alone, such as optional imports. */
  external?: readonly string[];
  /** Extra files by their path in the image; `source` is relative to the repository. */
  files?: readonly ({ path: string; source: string } | { path: string; text: string })[];
  /** Folders that belong to the user 65532, for volumes to be mounted on. */
  folders?: readonly string[];
  /** Names that the bundler replaces by these expressions. */
  define?: Readonly<Record<string, string>>;
  args?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Modules taken in place of others, for tests; both relative to the repository. The one that takes the place may import the other. */
  instead?: Readonly<Record<string, string>>;
};

const repository = resolve(import.meta.dirname, '..', '..');
export const userId = 65532;

/** Only what nothing declares is replaced: a module's own `__dirname` stays its own. */
const banner = `import { createRequire as scsCreateRequire } from 'node:module';
import { fileURLToPath as scsFileURLToPath } from 'node:url';
const require = scsCreateRequire(import.meta.url);
const scsBundleFile = scsFileURLToPath(import.meta.url);
const scsBundleFolder = scsFileURLToPath(new URL('.', import.meta.url));`;

const packageName = (item: string | { name: string }): string => (typeof item === 'string' ? item : item.name);

const replacing = (instead: Readonly<Record<string, string>>): Plugin => {
  const places = new Map(Object.entries(instead).map(([from, to]) => [join(repository, from), join(repository, to)]));
  return {
    name: 'instead',
    setup: (build) => {
      build.onResolve({ filter: /^\.{1,2}\// }, ({ path, importer }) => {
        const to = places.get(resolve(dirname(importer), path));
        return to === undefined || to === importer ? undefined : { path: to };
      });
    },
  };
};

/** The program of an image in one file of JavaScript. Throws with the bundler's messages. */
export const bundleProgram = async (spec: ImageSpec): Promise<Buffer> => {
  const result = await bundle({
    absWorkingDir: repository,
    entryPoints: [spec.entry],
    outfile: 'main.mjs',
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'silent',
    banner: { js: banner },
    define: { __filename: 'scsBundleFile', __dirname: 'scsBundleFolder', ...spec.define },
    ...(spec.instead && { plugins: [replacing(spec.instead)] }),
    external: [
      '*.node',
      ...(spec.external ?? []),
      ...(spec.packages ?? []).flatMap((item) => [packageName(item), `${packageName(item)}/*`]),
    ],
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error(`nothing came out of bundling ${spec.entry}`);
  return Buffer.from(output.contents);
};

/** The folder of an installed package, wherever npm put it. */
const packageFolder = (name: string): string => {
  const looked = createRequire(join(repository, 'package.json')).resolve.paths(name) ?? [];
  const workspaces = ['contracts', 'vault', 'executor', 'operator', 'enclave-sidecar', 'cli', 'test'].map((folder) =>
    join(repository, folder, 'node_modules'),
  );
  const folder = [...workspaces, ...looked]
    .map((root) => join(root, name))
    .find((candidate) => existsSync(join(candidate, 'package.json')));
  if (folder === undefined) throw new Error(`package ${name} is not installed`);
  return realpathSync(folder);
};

const filesUnder = (folder: string, at: string): Entry[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((item): Entry[] => {
    const source = join(folder, item.name);
    const path = `${at}/${item.name}`;
    if (item.isDirectory()) return filesUnder(source, path);
    if (item.isSymbolicLink()) return [{ path, mode: 0o777, link: readlinkSync(source) }];
    return [{ path, mode: lstatSync(source).mode & 0o111 ? 0o755 : 0o644, file: source }];
  });

/** The files of an installed package, by their paths in an image. */
export const packageEntries = (item: string | { name: string; only: RegExp }): Entry[] => {
  const root = `app/node_modules/${packageName(item)}`;
  const all = filesUnder(packageFolder(packageName(item)), root);
  return typeof item === 'string'
    ? all
    : all.filter(({ path }) => path === `${root}/package.json` || item.only.test(path.slice(root.length + 1)));
};

const isBinary = (entry: Entry): entry is Entry & { file: string } => 'file' in entry && /\.(node|so)(\.\d+)*$/.test(entry.path);

const nodeBinary = (): string => {
  const local = join(packageFolder(`node-linux-${process.arch}`), 'bin', 'node');
  return existsSync(local) ? local : process.execPath;
};

const certificateBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

const text = (path: string, content: string): Entry => ({ path, mode: 0o644, bytes: Buffer.from(content) });

const systemFiles = (): Entry[] => {
  const certificates = certificateBundles.find((file) => existsSync(file));
  return [
    text('etc/passwd', `root:x:0:0:root:/:/sbin/nologin\nscs:x:${userId}:${userId}:scs:/home/scs:/sbin/nologin\n`),
    text('etc/group', `root:x:0:\nscs:x:${userId}:\n`),
    text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    { path: 'tmp', mode: 0o1777, folder: true },
    { path: 'home/scs', mode: 0o755, owner: userId, folder: true },
    ...(certificates === undefined ? [] : [text('etc/ssl/certs/ca-certificates.crt', readFileSync(certificates, 'utf8'))]),
  ];
};

const nodeLayer = async (): Promise<Entry[]> => {
  const node = nodeBinary();
  return [...systemFiles(), { path: 'usr/local/bin/node', mode: 0o755, file: realpathSync(node) }, ...(await librariesOf([node]))];
};

/** Builds one of our images into the store of the cache. The same sources on the same machine give the same digest. */
export const buildImage = async (spec: ImageSpec): Promise<Image> => {
  const base = await nodeLayer();
  const packages = (spec.packages ?? []).flatMap(packageEntries);
  const inBase = new Set(base.map(({ path }) => path));
  const extra = (spec.files ?? []).map((file): Entry => {
    const path = file.path.replace(/^\/+/, '');
    if ('text' in file) return { path, mode: 0o644, bytes: Buffer.from(file.text) };
    const source = resolve(repository, file.source);
    return { path, mode: statSync(source).mode & 0o111 ? 0o755 : 0o644, file: source };
  });
  const needed = await librariesOf([...packages, ...extra].filter(isBinary).map(({ file }) => file));
  // Libraries have a layer of their own: they seldom change, programs often.
  const native = [...packages, ...extra.filter(isBinary), ...needed.filter(({ path }) => !inBase.has(path))];
  const app: Entry[] = [
    { path: 'app/main.mjs', mode: 0o644, bytes: await bundleProgram(spec) },
    ...extra.filter((entry) => !isBinary(entry)),
    ...(spec.folders ?? []).map((folder): Entry => ({ path: folder.replace(/^\/+/, ''), mode: 0o755, owner: userId, folder: true })),
  ];
  const layers = [base, ...(native.length > 0 ? [native] : []), app].map((entries) => storeLayer(entries));
  return storeImage(
    spec.ref ?? `scs.local/${spec.name}:dev`,
    {
      entrypoint: ['/usr/local/bin/node', '/app/main.mjs'],
      environment: { NODE_ENV: 'production', SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt', ...spec.environment },
      ...(spec.args === undefined ? {} : { args: spec.args }),
    },
    layers,
  );
};

/** An image of one program of this machine and its libraries. */
const programImage = async (ref: string, program: string, path: string, args: readonly string[]): Promise<Image> => {
  const entries: Entry[] = [
    ...systemFiles(),
    { path: path.slice(1), mode: 0o755, file: realpathSync(program) },
    ...(await librariesOf([program])),
  ];
  return storeImage(ref, { entrypoint: [path], args }, [storeLayer(entries)]);
};

export const corednsImage = 'scs.local/coredns:1.15.0';

/** What holds a pod's namespaces open: nothing but a long sleep. */
export const buildPauseImage = (): Promise<Image> => programImage(pauseImage, '/bin/sleep', '/pause', ['infinity']);

export const buildCorednsImage = (coredns: string): Promise<Image> =>
  programImage(corednsImage, coredns, '/coredns', ['-conf', '/etc/coredns/Corefile']);

/** A plain Node image (runs what a pod's command says), for tests of the cluster itself. */
export const buildNodeImage = async (): Promise<Image> =>
  storeImage('scs.local/node:24', { entrypoint: ['/usr/local/bin/node'] }, [storeLayer(await nodeLayer())]);
