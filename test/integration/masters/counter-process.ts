/** A master's trusted counter as its pod runs it: the sidecar's program in a process of its own, which can be killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createAuthority, issue, type TlsIdentity } from '@scs/proto/authority.ts';
import { counterIdentity, masterIdentity } from '@scs/proto/tls.ts';
import { encodeGenesisFile, successionOf, type Genesis } from '@scs/protocol';
import { chipOf } from '@scs/protocol/testing/genesis.ts';
import { masterKey } from '@scs/protocol/testing/keys.ts';

const program = resolve(import.meta.dirname, '..', '..', '..', 'enclave-sidecar', 'src', 'main.ts');
/** The simulated measurement of the program that is started here. */
export const counterMeasurement = (): string => hash('sha384', readFileSync(program), 'hex');

const certify = async (index: number, key: number): Promise<TlsIdentity> => {
  const from = new Date(Date.now() - 60_000);
  const { seed } = masterKey(key);
  return issue(await createAuthority(seed, masterIdentity(index), from, 1), seed, counterIdentity(index), from, 1);
};

export class CounterProcess {
  readonly address: string;
  readonly #environment: Record<string, string>;
  #child: ChildProcess | undefined;

  private constructor(environment: Record<string, string>, address: string) {
    this.#environment = environment;
    this.address = address;
  }
  /** `key`: number of its master's durable key. */
  static async make(folder: string, genesis: Genesis, index: number, port: number, key = index): Promise<CounterProcess> {
    const own = join(folder, `counter-${index}-${key}`);
    mkdirSync(own, { recursive: true });
    const tls = await certify(index, key);
    writeFileSync(join(own, 'tls.crt'), tls.certificatePem);
    writeFileSync(join(own, 'tls.key'), tls.keyPem);
    const { first, links } = successionOf(genesis);
    writeFileSync(join(own, 'genesis.bin'), encodeGenesisFile(first, links));
    writeFileSync(join(own, 'chip.json'), JSON.stringify(chipOf('alder')));
    const address = `127.0.0.1:${port}`;
    const environment = {
      SCS_ROLE: 'counter',
      SCS_MASTER_INDEX: String(index),
      SCS_GENESIS: join(own, 'genesis.bin'),
      SCS_TLS: own,
      SCS_CHIP: join(own, 'chip.json'),
      SCS_LISTEN: address,
      SCS_HEALTH_LISTEN: '127.0.0.1:0',
      SCS_LOG_LEVEL: 'warn',
      SCS_TERMINATION_LOG: join(own, 'termination'),
    };
    return new CounterProcess(environment, address);
  }

  start(): void {
    this.#child = spawn(process.execPath, [program], {
      env: { PATH: process.env['PATH'], ...this.#environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  /** At once, as when the machine dies. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}
