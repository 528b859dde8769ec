import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { encodeGenesis, genesisDigest } from '@scs/protocol';
import { aGenesis, chipOf } from '@scs/protocol/testing/genesis.ts';
import { chooseTee, readEnvironment, readGenesis } from './config.ts';
import { isMemoryBacked, requireMemory, writeSliceFiles } from './scratch.ts';

const folder = mkdtempSync(join(tmpdir(), 'scs-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: Uint8Array | string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const environment = {
  SCS_ROLE: 'slice',
  SCS_TASK: '0123-abcd',
  SCS_SUBJECT: 'alder/shoppers',
  SCS_MASTERS: 'a:7444,b:7444,c:7444',
  SCS_VAULT_ADDRESS: 'vault.alder.svc:7445',
};
const chip = file('chip.json', JSON.stringify(chipOf('alder')));
const program = file('main.mjs', 'program');
const faultOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

test('a full environment is read, with defaults', () => {
  expect(readEnvironment(environment)).toMatchObject({ SCS_MASTERS: ['a:7444', 'b:7444', 'c:7444'], SCS_SOCKET: '/scratch/enclave.sock' });
  const aggregator = { ...environment, SCS_ROLE: 'aggregator', SCS_SUBJECT: `0x${'ab'.repeat(32)}`, SCS_VAULT_ADDRESS: undefined };
  expect(readEnvironment(aggregator).SCS_ROLE).toBe('aggregator');
});

test.each([
  ['SCS_ROLE', 'review'],
  ['SCS_TASK', '../x'],
  ['SCS_SUBJECT', `0x${'ab'.repeat(32)}`],
  ['SCS_MASTERS', 'a:1,b:2'],
  ['SCS_VAULT_ADDRESS', undefined],
  ['SCS_SCRATCH', 'relative'],
  ['SCS_EXECUTOR_MEMORY', '1'],
])('%s = %s is refused', (name, value) => {
  expect(faultOf(() => readEnvironment({ ...environment, [name]: value }))).toMatchObject({ code: 'ConfigurationInvalid' });
});

test('A4: genesis chooses the enclave, not what is mounted', () => {
  const given = readEnvironment({ ...environment, SCS_CHIP: chip });
  expect(chooseTee(aGenesis(), given, program).kind).toBe('simulated');
  expect(chooseTee(aGenesis({ enclave: { kind: 'hardware', roots: ['x'] } }), given, program).kind).toBe('sev-snp');
  const without = readEnvironment({ ...environment, SCS_CHIP: join(folder, 'absent') });
  expect(faultOf(() => chooseTee(aGenesis(), without, program))).toMatchObject({ code: 'ConfigurationInvalid' });
});

test('the genesis is read by its one spelling; faults do not quote files', () => {
  const genesis = aGenesis();
  expect(readGenesis(file('genesis.bin', encodeGenesis(genesis))).digest).toBe(genesisDigest(genesis));
  const fault = faultOf(() => readGenesis(file('broken.bin', 'secret content')));
  expect(fault).toMatchObject({ code: 'ConfigurationInvalid' });
  expect(String(fault)).not.toContain('secret content');
});

test('A2: scratch on a disk is refused; files are readable by their owner and go when disposed', async () => {
  if (await isMemoryBacked('/dev/shm')) await requireMemory('/dev/shm');
  await expect(requireMemory('/proc')).rejects.toMatchObject({ code: 'ScratchNotMemory' });
  const files = await writeSliceFiles(folder, 1, Uint8Array.of(2));
  expect(files.eligible).toMatch(/work-1\/eligible\.parquet$/);
  await files[Symbol.asyncDispose]();
  expect(await isMemoryBacked(folder).catch(() => 'gone')).not.toBe('gone');
});
