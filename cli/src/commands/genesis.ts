/** `genesis build` and `genesis show` (rule G7). */
import { writeFile } from 'node:fs/promises';
import { encodeGenesis, formatEpsilon, formatSym, genesisDigest, semanticVersion, type Genesis } from '@scs/protocol';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { buildGenesis } from '../genesis/build.ts';
import { loadGenesis } from '../genesis-file.ts';

const describe = (genesis: Genesis): string[] => [
  `digest            ${genesisDigest(genesis)}`,
  `name              ${genesis.name} (protocol version ${genesis.protocolVersion})`,
  `chain             id ${genesis.chain.chainId}, contract ${genesis.chain.contract}`,
  `enclaves          ${genesis.enclave.kind}${genesis.enclave.kind === 'simulated' ? ': NOT private against whoever runs the machines' : ''}`,
  ...genesis.policy.enclave.measurements.map((m) => `measurement       ${m}`),
  `semantic version  ${semanticVersion(genesis.catalogue)}`,
  `max epsilon       ${formatEpsilon(genesis.policy.privacy.maxEpsilonPerTask)} a task`,
  ...genesis.masters.map((m, i) => `master ${i}          ${m.publicKey}`),
  ...genesis.actors.map((a) => `${a.role.padEnd(10)}        ${a.name}, ${a.address}, ${formatSym(a.allocation)} SYM`),
];

export const genesisBuild: Command = {
  words: ['genesis', 'build'],
  summary: 'make the genesis file from public keys, policy and catalogue',
  help: `kubectl symphony genesis build -f genesis.yaml --out genesis.bin [--measurement HEX ...]

Collects the masters' and first actors' public keys, the policy, the catalogue and the chain into one file of canonical
bytes. Its digest is in every certificate. Both charts take the file.

  -f, --file FILE       configuration (see examples/demo/genesis.yaml)
  --out FILE            where to write
  --measurement HEX     allow this enclave measurement (48 bytes) too; repeatable`,
  options: { file: { type: 'string', short: 'f' }, out: { type: 'string' }, measurement: { type: 'string', multiple: true } },
  run: async (invocation) => {
    const out = invocation.required('out');
    const genesis = await buildGenesis(invocation.required('file'), invocation.texts('measurement'), invocation.now());
    await writeFile(out, encodeGenesis(genesis)).catch((cause: unknown) => {
      throw new CliError('FileUnwritable', `${out} can't be written: ${cause instanceof Error ? cause.message : String(cause)}`);
    });
    for (const line of describe(genesis)) invocation.out(line);
  },
};

export const genesisShow: Command = {
  words: ['genesis', 'show'],
  summary: 'say what a genesis file holds',
  help: `kubectl symphony genesis show FILE

FILE is a genesis file (default: $SCS_GENESIS).`,
  options: {},
  arguments: 1,
  run: async ({ positionals, variable, out }) => {
    const file = positionals[0] ?? variable('SCS_GENESIS');
    if (!file) throw new CliError('GenesisMissing', 'Which genesis? Give its FILE or set SCS_GENESIS.');
    for (const line of describe(await loadGenesis(file))) out(line);
  },
};
