/** For tests: S3 and KMS as the Python package moto plays them, in a process of its own; fetched once into the tools' cache. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { signedFetch, type CredentialsOf, type Signed } from '../cloud/aws.ts';

const MOTO = 'moto[server,s3,kms]==5.2.1';
const run = promisify(execFile);

/** PYTHONPATH that has moto; undefined when Python has it anyway. */
const motoPath = async (): Promise<string | undefined> => {
  if (
    await run('python3', ['-c', 'import moto.server, moto.kms, moto.s3']).then(
      () => true,
      () => false,
    )
  )
    return undefined;
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'symphony-scs');
  const folder = join(cache, 'moto-5.2.1');
  if (await stat(folder).catch(() => undefined)) return folder;
  await mkdir(cache, { recursive: true });
  const partial = await mkdtemp(join(cache, 'moto-'));
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', partial, MOTO], { timeout: 300_000 });
  await rename(partial, folder).catch(async (error: unknown) => {
    // Another test file was first.
    if (!(await stat(folder).catch(() => undefined))) throw error;
    await rm(partial, { recursive: true });
  });
  return folder;
};
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
};

export const REGION = 'eu-central-1';
export const credentials: CredentialsOf = () => Promise.resolve({ accessKeyId: 'vault', secretAccessKey: 'not-secret' });

export class Moto {
  readonly endpoint: string;
  readonly process: ChildProcess;
  private constructor(endpoint: string, child: ChildProcess) {
    this.endpoint = endpoint;
    this.process = child;
  }

  static async start(): Promise<Moto> {
    const [path, port] = await Promise.all([motoPath(), freePort()]);
    const child = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
      env: { ...process.env, ...(path !== undefined && { PYTHONPATH: path }), MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS: 'true' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // It says on which address it serves when it does.
    for await (const chunk of child.stderr) if (String(chunk).includes('Running on')) break;
    child.stderr.resume();
    return new Moto(`http://127.0.0.1:${port}`, child);
  }
  async stop(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }

  async bucket(name: string): Promise<void> {
    const body = `<CreateBucketConfiguration><LocationConstraint>${REGION}</LocationConstraint></CreateBucketConfiguration>`;
    await this.#ask({ service: 's3', url: `${this.endpoint}/${name}`, method: 'PUT', body });
  }
  /** Id of a new key. */
  async key(): Promise<string> {
    const response = await this.#ask({
      service: 'kms',
      url: `${this.endpoint}/`,
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.CreateKey' },
      body: '{}',
    });
    return ((await response.json()) as { KeyMetadata: { KeyId: string } }).KeyMetadata.KeyId;
  }
  #ask(request: Omit<Signed, 'region'>): Promise<Response> {
    return signedFetch(credentials, { region: REGION, ...request });
  }
}
