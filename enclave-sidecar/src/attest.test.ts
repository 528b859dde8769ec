import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attestationFault, fromHex, hex, reportData, type Genesis } from '@scs/protocol';
import { aGenesis, chipOf, MEASUREMENT } from '@scs/protocol/testing/genesis.ts';
import { actorKey, digestOf } from '@scs/protocol/testing/keys.ts';
import { attestSnp, testChain } from '@scs/protocol/testing/snp-chain.ts';
import { simulatedMeasurement, simulatedTee, tsmTee, type TsmEntry } from './attest.ts';
import { certificateTable } from './certificate-table.ts';

const identity = {
  genesis: digestOf('genesis'),
  task: '00-11',
  role: 'slice',
  subject: 'alder/shoppers',
  signKey: digestOf('sign'),
  sealKey: digestOf('seal'),
} as const;
const chain = testChain('c1'.repeat(64), 0x0102_0304_0506_0708n);
const hardware = (): Genesis => {
  const genesis = aGenesis({ enclave: { kind: 'hardware', roots: [chain.root] } });
  const policy = { ...genesis.policy, enclave: { ...genesis.policy.enclave, hostData: ['aa'.repeat(32)] } };
  const actors = genesis.actors.map((actor) =>
    actor.address === actorKey('alder').address ? { ...actor, enterprise: { ...actor.enterprise!, chips: [chain.chipId] } } : actor,
  );
  return { ...genesis, policy, actors };
};

const guid = (text: string): Buffer => Buffer.from(text.replaceAll('-', ''), 'hex');
/** As a host lays it out: entries, a zero entry, then the certificates. */
const table = (certificates: readonly (readonly [id: string, der: Uint8Array])[]): Buffer => {
  const head = Buffer.alloc(24 * (certificates.length + 1));
  let offset = head.length;
  certificates.forEach(([id, der], i) => {
    guid(id).copy(head, 24 * i);
    head.writeUInt32LE(offset, 24 * i + 16);
    head.writeUInt32LE(der.length, 24 * i + 20);
    offset += der.length;
  });
  return Buffer.concat([head, ...certificates.map(([, der]) => der)]);
};
const VCEK = '63da758d-e664-4564-adc5-f4b93be8ac71';
const ASK = '4ab7b379-bbac-4fe4-a02f-05aef327c782';
const fullTable = (): Buffer => table([VCEK, ASK].map((id, i) => [id, new X509Certificate(chain.collateral[i]!).raw] as const));

interface Kernel {
  readonly provider?: string;
  readonly aux?: Uint8Array;
  readonly outblob?: (inblob: string) => Uint8Array;
  /** Someone else asks between question and answer. */
  readonly disturbed?: boolean;
}
/** configfs-tsm as a fake kernel: what was written decides what is read. */
const kernel = ({ provider = 'sev_guest', aux = fullTable(), outblob, disturbed = false }: Kernel = {}) => {
  let inblob = '';
  let generation = 0;
  const log: string[] = [];
  const entry: TsmEntry = {
    write: (name, content) => {
      log.push(name);
      generation++;
      if (name === 'inblob') inblob = hex(Uint8Array.from(content as Uint8Array));
      return Promise.resolve();
    },
    read: (name) => {
      if (name === 'provider') return Promise.resolve(Buffer.from(`${provider}\n`));
      if (name === 'generation') return Promise.resolve(Buffer.from(`${generation}\n`));
      if (name === 'auxblob') return Promise.resolve(aux);
      if (disturbed) generation++;
      const honest = () => fromHex(attestSnp(chain, identity, MEASUREMENT, { reportData: inblob }).report);
      return Promise.resolve(outblob ? outblob(inblob) : honest());
    },
    remove: () => {
      log.push('removed');
      return Promise.resolve();
    },
  };
  return { log, openEntry: () => Promise.resolve(entry), asked: () => inblob };
};

describe('simulated', () => {
  test('A4: never, unless genesis says so', () => {
    expect(() => simulatedTee(hardware(), chipOf('alder'), MEASUREMENT)).toThrow(expect.objectContaining({ code: 'SimulationRefused' }));
  });

  test('A1: what it attests holds', async () => {
    const genesis = aGenesis();
    const attestation = await simulatedTee(genesis, chipOf('alder'), MEASUREMENT).attest(identity);
    expect(attestationFault(attestation, identity, genesis, genesis.policy)).toBeUndefined();
  });

  test('the measurement is SHA-384 of the program', () => {
    expect(simulatedMeasurement(new TextEncoder().encode('program'))).toMatch(/^[0-9a-f]{96}$/);
    expect(simulatedMeasurement(Buffer.from('abc')).startsWith('cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163')).toBe(true);
  });
});

describe('configfs-tsm', () => {
  test("A2, A5: report and the host's certificates prove the identity", async () => {
    const fake = kernel();
    const attestation = await tsmTee('sev-snp', fake).attest(identity);
    const genesis = hardware();
    expect(attestationFault(attestation, identity, genesis, genesis.policy)).toBeUndefined();
    expect(fake.asked()).toBe(reportData(identity));
    expect(fake.log).toEqual(['privlevel', 'inblob', 'removed']);
  });

  test('mounted certificates serve where the host hands out none', async () => {
    const attestation = await tsmTee('sev-snp', { ...kernel({ aux: new Uint8Array() }), collateral: chain.collateral }).attest(identity);
    expect(attestation.collateral).toEqual(chain.collateral);
  });

  test('a TDX quote is passed on as it is', async () => {
    const quote = Uint8Array.of(4, 0, 2);
    const attestation = await tsmTee('tdx', kernel({ provider: 'tdx_guest', outblob: () => quote })).attest(identity);
    expect(attestation).toEqual({ kind: 'tdx', report: '040002', collateral: [] });
  });

  test.each([
    ['an unknown provider', kernel({ provider: 'other' }), /neither/],
    ['another provider', kernel({ provider: 'tdx_guest' }), /reports tdx/],
    [
      'a report for other data',
      kernel({ outblob: () => fromHex(attestSnp(chain, identity, MEASUREMENT, { reportData: '00'.repeat(64) }).report) }),
      /other data/,
    ],
    ['a disturbed request', kernel({ disturbed: true }), /meanwhile/],
  ])('%s is refused, and the entry removed', async (_what, fake, message) => {
    await expect(tsmTee('sev-snp', fake).attest(identity)).rejects.toThrow(message);
    expect(fake.log.at(-1)).toBe('removed');
  });

  test('the certificate table: whatever the bytes, nothing outside of it is read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { vcek, ask } = certificateTable(bytes);
        for (const found of [vcek, ask]) expect((found?.length ?? 0) <= bytes.length).toBe(true);
      }),
    );
    const full = fullTable();
    expect(certificateTable(full.subarray(0, full.length - 1)).ask).toBeUndefined();
    expect(hex(certificateTable(full).vcek!)).toBe(hex(new X509Certificate(chain.collateral[0]).raw));
  });
});
