/**
 * Port `Tee` (rules A1, A2, A4): whoever attests this enclave's identity. Genesis alone says which kind there is; a simulated
 * chip is never used where genesis asks for hardware, whatever is mounted.
 */
import { hash } from 'node:crypto';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  attestData,
  fromHex,
  hex,
  parseSnpReport,
  reportData,
  type Attestation,
  type EnclaveIdentity,
  type Genesis,
  type SimulatedChip,
} from '@scs/protocol';
import { certificateTable, toPem } from './certificate-table.ts';
import { EnclaveFault } from './fault.ts';

export interface Tee {
  readonly kind: Attestation['kind'];
  /** An attestation of any report_data, hex of 64 bytes. */
  report(data: string): Promise<Attestation>;
  attest(identity: EnclaveIdentity): Promise<Attestation>;
}

const teeOf = (kind: Tee['kind'], report: Tee['report']): Tee => ({ kind, report, attest: (identity) => report(reportData(identity)) });

/** SHA-384 of the sidecar's own bundled program: the simulated launch measurement, hex of 48 bytes. */
export const simulatedMeasurement = (program: Uint8Array): string => hash('sha384', program, 'hex');

/** Throws EnclaveFault SimulationRefused unless genesis names simulated enclaves (A4). */
export const simulatedTee = (genesis: Genesis, chip: SimulatedChip, measurement: string): Tee => {
  if (genesis.enclave.kind !== 'simulated')
    throw new EnclaveFault('SimulationRefused', 'Genesis asks for hardware; this enclave does not simulate.');
  return teeOf('simulated', (data) => Promise.resolve(attestData(chip, data, measurement)));
};

/** One entry of configfs-tsm (Linux 6.7 and later, Documentation/ABI/testing/configfs-tsm-report). */
export interface TsmEntry {
  write(name: 'inblob' | 'privlevel', content: Uint8Array | string): Promise<void>;
  read(name: 'outblob' | 'auxblob' | 'provider' | 'generation'): Promise<Uint8Array>;
  remove(): Promise<void>;
}
export const configfsEntry = async (root = '/sys/kernel/config/tsm/report'): Promise<TsmEntry> => {
  const folder = join(root, `scs-${process.pid}`);
  await mkdir(folder, { recursive: false });
  return {
    write: (name, content) => writeFile(join(folder, name), content),
    read: (name) => readFile(join(folder, name)),
    remove: () => rmdir(folder),
  };
};

const PROVIDERS: Readonly<Record<string, 'sev-snp' | 'tdx'>> = { sev_guest: 'sev-snp', tdx_guest: 'tdx' };
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trim();

/** Reads the report under one generation, so that no other user's request lies between question and answer. */
const report = async (entry: TsmEntry, data: Uint8Array): Promise<{ kind: 'sev-snp' | 'tdx'; raw: Uint8Array; table: Uint8Array }> => {
  const kind = PROVIDERS[text(await entry.read('provider'))];
  if (!kind) throw new EnclaveFault('TeeUnknown', 'The guest offers neither SEV-SNP nor TDX reports.');
  if (kind === 'sev-snp') await entry.write('privlevel', '0');
  await entry.write('inblob', data);
  const before = text(await entry.read('generation'));
  const raw = await entry.read('outblob');
  const table = kind === 'sev-snp' ? await entry.read('auxblob') : new Uint8Array();
  if (text(await entry.read('generation')) !== before) throw new Error('another report was asked for meanwhile');
  return { kind, raw, table };
};

export interface TsmOptions {
  readonly openEntry?: () => Promise<TsmEntry>;
  /** PEM of VCEK and ASK where the host hands none to its guests. */
  readonly collateral?: readonly string[];
}
/** The real enclave. Collateral is the host's certificate table, else what was mounted. Throws EnclaveFault or the kernel's error. */
export const tsmTee = (kind: 'sev-snp' | 'tdx', { openEntry = configfsEntry, collateral = [] }: TsmOptions = {}): Tee =>
  teeOf(kind, async (data) => {
    const entry = await openEntry();
    try {
      const answer = await report(entry, fromHex(data));
      if (answer.kind !== kind) throw new EnclaveFault('TeeUnknown', `The guest reports ${answer.kind}, not ${kind}.`);
      if (kind === 'sev-snp' && parseSnpReport(answer.raw)?.reportData !== data)
        throw new EnclaveFault('AttestationInvalid', 'The guest gave a report for other data.');
      const { vcek, ask } = certificateTable(answer.table);
      return { kind, report: hex(answer.raw), collateral: vcek && ask ? [toPem(vcek), toPem(ask)] : [...collateral] };
    } finally {
      await entry.remove();
    }
  });
