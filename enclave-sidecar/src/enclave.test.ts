import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  decodeTaskResult,
  encodeSlicePayload,
  envelopeAad,
  fromHex,
  noiseCells,
  noiseOutput,
  resultBlobName,
  sliceBlobName,
  sliceOutputAad,
  type Digest,
  type SliceInput,
  type TaskResult,
} from '@scs/protocol';
import { aCatalogueOfNumbers, chipOf, MEASUREMENT, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { open, packSealed, seal, unpackSealed } from '@scs/proto';
import { simulatedTee } from './attest.ts';
import { TestGroup } from './testing/group.ts';

const [alder, birch, cedar] = vaultNames as [string, string, string];
const cellsOf: Readonly<Record<string, readonly bigint[]>> = {
  [alder]: [400n, 100n, 1n],
  [birch]: [200n, 30n, 0n],
  [cedar]: [300n, 20n, 2n],
};
const startSlices = (group: TestGroup, vaults: readonly string[] = vaultNames) =>
  Promise.all(vaults.map((vault) => group.slice(vault, { cells: () => cellsOf[vault]! })));

const resultOf = async (group: TestGroup): Promise<TaskResult> => {
  const { sealedResult, envelope } = group.world.task(group.uid);
  const blob = group.server.blobs.get(resultBlobName(sealedResult as Digest<'blob'>))!;
  return decodeTaskResult(await open(group.resultKey.privateKey, 'task-result', unpackSealed(blob), envelopeAad(envelope!)));
};
/** What the sum must be, with the noise that each Vault's seed gives. */
const expectedSums = (group: TestGroup, vaults: readonly string[] = vaultNames): bigint[] => {
  const { epsilon, cellsPerSubject } = group.world.task(group.uid).plan!;
  const outputs = vaults.map((v) => noiseCells(fromHex(group.vaults.get(v)!.noiseSeed), cellsOf[v]!, cellsPerSubject, epsilon));
  return [0, 1, 2].map((i) => outputs.reduce((sum, cells) => sum + cells[i]!, 0n));
};
/** Waits until the slice's release is decided and it waits for whom to seal to. */
const released = (group: TestGroup, vault: string) =>
  group.until(() => group.world.task(group.uid).parts.some((p) => p.vault === vault && p.state === 'released'));

describe('a query, enclave by enclave', () => {
  test('M1, M5, S5, B7: three slices, one aggregator, one sealed result that the rules accept', async () => {
    await using group = await TestGroup.start();
    const slices = await startSlices(group);
    const aggregator = await group.aggregator();
    expect(await aggregator.ended).toBe('TaskEnded');
    expect(await Promise.all(slices.map((s) => s.ended))).toEqual(['TaskEnded', 'TaskEnded', 'TaskEnded']);
    expect(await Promise.all(slices.map((s) => s.executor))).toEqual(['Released', 'Released', 'Released']);
    const record = group.world.task(group.uid);
    expect(record.state).toBe('awaiting_settlement');
    const result = await resultOf(group);
    const sums = expectedSums(group);
    // The minimum is 20, the overlap bound 3: cells below 60 are suppressed.
    expect(result.cells).toEqual([{ label: 'under_45', count: sums[0] }, { label: '45_and_over', count: sums[1] }, { label: 'unknown' }]);
    expect(result).toMatchObject({
      envelope: record.envelope,
      vaults: 3,
      epsilon: 500_000n,
      cellsPerSubject: record.plan!.cellsPerSubject,
    });
  });

  test('B7, S5: counts, sums and histograms, noised by place in each slice, added up by the aggregator', async () => {
    const measures = [
      { kind: 'mean', attribute: 'spend' },
      { kind: 'quantile', attribute: 'spend', rank: '0.5' },
    ] as const;
    await using group = await TestGroup.start(
      (task) => task.asking({ measures: [...measures] }),
      (genesis) => ({ ...genesis, catalogue: aCatalogueOfNumbers() }),
    );
    const exact = [400n, 100n, 1n, 900_000n, 2_000n, 7n, 0n, 0n, 390n, 10n, 0n, 5n, 5n, 0n, 0n, 90n, 1n, 0n, 0n, 0n, 0n];
    for (const vault of vaultNames) await group.slice(vault, { cells: () => exact });
    await (
      await group.aggregator()
    ).ended;
    const { plan } = group.world.task(group.uid);
    const outputs = vaultNames.map((v) => noiseOutput(fromHex(group.vaults.get(v)!.noiseSeed), exact, plan!));
    expect([...group.vaults.values()].map((vault) => vault.stored!.output.cells)).toEqual(outputs);
    const sum = (place: number): bigint => outputs.reduce((all, cells) => all + cells[place]!, 0n);
    const result = await resultOf(group);
    expect(result).toMatchObject({ measures: plan!.measures });
    expect(result.cells[0]).toEqual({ label: 'under_45', count: sum(0), values: [sum(3), 2_500n] });
    expect(result.cells[2]).toEqual({ label: 'unknown' });
  });

  test('T1: who is in an audience goes to their own Vault alone; the aggregate has the noisy size', async () => {
    await using group = await TestGroup.start((task) => task.asking({ audience: { expiresSeconds: 3600 } }));
    const audience = Uint8Array.of(0b1010_0101, 0b11);
    for (const vault of vaultNames) await group.slice(vault, { cells: () => cellsOf[vault]!, audience });
    await (
      await group.aggregator()
    ).ended;
    expect([...group.vaults.values()].map((vault) => vault.audience)).toEqual(['a503', 'a503', 'a503']);
    const { evidence } = group.vaults.get(alder)!.stored!.evidence;
    expect(evidence.audienceCommitment).toMatch(/^[0-9a-f]{64}$/);
    expect(group.vaults.get(birch)!.stored!.evidence.evidence.audienceCommitment).not.toBe(evidence.audienceCommitment);
    expect((await resultOf(group)).cells[0]).toEqual({ label: 'under_45', count: expectedSums(group)[0] });
    const passed = [...group.server.blobs.values()].map((blob) => Buffer.from(blob).toString('latin1')).join('\n');
    expect(passed + group.logs.join('\n')).not.toContain('a503');
    expect(group.world.task(group.uid).state).toBe('awaiting_settlement');
  });

  test('M2, A3: nothing of any output is logged, nor lies open in what passes through the masters', async () => {
    await using group = await TestGroup.start();
    await startSlices(group);
    await (
      await group.aggregator()
    ).ended;
    const outputs = [...group.vaults.values()].map((vault) => vault.stored!.output);
    const secrets = [
      ...outputs.flatMap(({ cells, nonce }) => [nonce, cells.join(',')]),
      ...[...group.vaults.values()].map((vault) => vault.noiseSeed),
      'snapshot of',
    ];
    const logs = group.logs.join('\n');
    expect(group.logs.length).toBeGreaterThan(8);
    const passed = [...group.server.blobs.values()].map((blob) => Buffer.from(blob).toString('latin1')).join('\n');
    for (const secret of secrets) {
      expect(logs).not.toContain(secret);
      expect(passed).not.toContain(secret);
    }
    expect(logs).not.toMatch(/"(cells|count|nonce|output)"/);
    expect(JSON.stringify(group.server.decided, (_k, v: unknown) => (typeof v === 'bigint' ? `#${v}` : v))).not.toMatch(/"cells"/);
  });

  test('B6, X1: the same snapshot gives the same output, whichever enclave counts', async () => {
    const outputs = [];
    for (let i = 0; i < 2; i++) {
      await using group = await TestGroup.start((task) => task.named('repeated'));
      const slice = await group.slice(alder, { cells: () => cellsOf[alder]! });
      await released(group, alder);
      outputs.push(group.vaults.get(alder)!.stored!.output);
      await slice.stop();
    }
    expect(outputs[0]).toEqual(outputs[1]);
  });

  test('B3, B6: a slice restarted after its release sends what was stored, and computes nothing', async () => {
    await using group = await TestGroup.start();
    const first = await group.slice(alder, { cells: () => cellsOf[alder]! });
    await released(group, alder);
    await first.stop();
    const second = await group.slice(alder, {
      cells: () => {
        throw new Error('computed again');
      },
    });
    await startSlices(group, [birch, cedar]);
    await (
      await group.aggregator()
    ).ended;
    expect(await second.ended).toBe('TaskEnded');
    expect(await second.executor).toBe('AlreadyReleased');
    expect((await resultOf(group)).cells[0]).toEqual({ label: 'under_45', count: expectedSums(group)[0] });
  });

  test('M4, B6: outputs are sealed again to the enclave that replaces an aggregator', async () => {
    await using group = await TestGroup.start();
    await startSlices(group, [alder, birch]);
    const first = await group.aggregator();
    await group.until(() => [alder, birch].every((vault) => group.server.put.includes(sliceBlobName(vault, first.keys.sealKey))));
    await first.stop();
    const second = await group.aggregator();
    await startSlices(group, [cedar]);
    expect(await second.ended).toBe('TaskEnded');
    for (const vault of vaultNames) expect(group.server.put).toContain(sliceBlobName(vault, second.keys.sealKey));
    expect((await resultOf(group)).cells[0]).toEqual({ label: 'under_45', count: expectedSums(group)[0] });
  });

  test('M4: an aggregator of another enterprise takes over; the one before ends', async () => {
    await using group = await TestGroup.start();
    const first = await group.aggregator();
    await group.until(() => first.phases.includes('waiting'));
    await startSlices(group);
    // The first is kept from finishing: its enterprise is slow, so the rules move on.
    group.server.tamper = (name, blob) => (name.endsWith(first.keys.sealKey) ? new Promise(() => undefined) : Promise.resolve(blob));
    await group.until(() => group.world.task(group.uid).survivors !== undefined);
    group.world.advance(group.world.genesis.policy.windows.aggregatorReplaceMs + 1);
    group.server.tellAll();
    expect(await first.ended).toBe('Replaced');
    const second = await group.aggregator();
    expect(await second.ended).toBe('TaskEnded');
    expect(group.world.task(group.uid).state).toBe('awaiting_settlement');
  });

  test('M4: at the deadline the survivors are those that released; the sum is over them', async () => {
    await using group = await TestGroup.start();
    await startSlices(group, [alder, birch]);
    const lazy = await group.slice(cedar, { idle: true });
    await released(group, alder);
    await released(group, birch);
    const aggregator = await group.aggregator();
    await group.until(() => aggregator.phases.includes('waiting'));
    group.world.advance(group.world.genesis.policy.windows.executionMs + 1);
    group.server.tellAll();
    await aggregator.ended;
    expect(await lazy.ended).toBe('TaskEnded');
    expect(await resultOf(group)).toMatchObject({ vaults: 2, cells: [{ count: expectedSums(group, [alder, birch])[0] }, {}, {}] });
  });
});

describe('what a Vault may do', () => {
  test('C2: a consent revoked meanwhile: a fresh snapshot, run again', async () => {
    await using group = await TestGroup.start();
    const vault = group.vaults.get(alder)!;
    vault.replies.push({ code: 'ConsentChanged' });
    const seen: string[] = [];
    const cells = (snapshot: string) => {
      seen.push(snapshot.includes('fresh') ? 'fresh' : 'first');
      return cellsOf[alder]!;
    };
    await group.slice(alder, { cells });
    await released(group, alder);
    expect(seen).toEqual(['first', 'fresh']);
    const { epsilon, cellsPerSubject } = group.world.task(group.uid).plan!;
    expect(vault.stored!.output.cells).toEqual(noiseCells(fromHex(vault.noiseSeed), cellsOf[alder]!, cellsPerSubject, epsilon));
  });

  test('C2: a consent revoked while the slice runs: it stops, and runs on the fresh snapshot alone', async () => {
    await using group = await TestGroup.start();
    const vault = group.vaults.get(alder)!;
    const seen: string[] = [];
    const cells = async (snapshot: string): Promise<readonly bigint[]> => {
      const fresh = snapshot.includes('fresh');
      seen.push(fresh ? 'fresh' : 'first');
      if (fresh) return cellsOf[alder]!;
      await group.until(() => vault.watched > 0);
      vault.revoke();
      await group.until(() => vault.opened.length > 1);
      // Too late: nobody takes it.
      return [999n, 999n, 999n];
    };
    await group.slice(alder, { cells });
    await released(group, alder);
    expect(seen).toEqual(['first', 'fresh']);
    const { epsilon, cellsPerSubject } = group.world.task(group.uid).plan!;
    expect(vault.stored!.output.cells).toEqual(noiseCells(fromHex(vault.noiseSeed), cellsOf[alder]!, cellsPerSubject, epsilon));
  });

  test('B3: "released" from the Vault alone moves nothing; the masters’ certified word does', async () => {
    await using group = await TestGroup.start();
    const vault = group.vaults.get(alder)!;
    vault.silent = true;
    const aggregator = await group.aggregator();
    const slice = await group.slice(alder, { cells: () => cellsOf[alder]! });
    await group.until(() => slice.phases.includes('waiting') && aggregator.phases.includes('waiting'));
    expect(group.server.put).toEqual([]);
    vault.release(group.uid);
    await group.until(() => group.server.put.length > 0);
    expect(group.server.put).toEqual([sliceBlobName(alder, aggregator.keys.sealKey)]);
  });

  test('a Vault that is away, restarts or is busy is asked again; nothing is counted twice for it', async () => {
    await using group = await TestGroup.start();
    const vault = group.vaults.get(alder)!;
    vault.unavailable = 3;
    vault.replies.push({ code: 'SealInvalid' }, { code: 'JournalBehind' });
    let counted = 0;
    await group.slice(alder, { cells: () => (counted++, cellsOf[alder]!) });
    await released(group, alder);
    expect(counted).toBe(1);
    expect(vault.opened).toHaveLength(6);
  });

  describe('A2: a warm slice', () => {
    /** A sidecar that has its snapshot and waits for its executor, stopped. */
    const stoppedWarm = async (group: TestGroup): Promise<string> => {
      const first = await group.slice(alder, { idle: true });
      await group.until(() => first.phases.includes('running'));
      await first.stop();
      return first.scratch;
    };

    test('opened again, it is not sent its snapshot again; with the output stored, nothing of it stays', async () => {
      await using group = await TestGroup.start();
      const vault = group.vaults.get(alder)!;
      vault.replies.push({ code: 'SealInvalid' });
      const { scratch } = await group.slice(alder, { cells: () => cellsOf[alder]! });
      await released(group, alder);
      expect(vault.sent).toEqual([true, false]);
      await group.until(() => !existsSync(join(scratch, 'snapshot')));
    });
    test('a sidecar that was restarted in its pod goes on with it, and gives the same output', async () => {
      await using group = await TestGroup.start();
      const vault = group.vaults.get(alder)!;
      const scratch = await stoppedWarm(group);
      await group.slice(alder, { cells: () => cellsOf[alder]!, scratch });
      await released(group, alder);
      expect(vault.sent).toEqual([true, false]);
      const { epsilon, cellsPerSubject } = group.world.task(group.uid).plan!;
      expect(vault.stored!.output.cells).toEqual(noiseCells(fromHex(vault.noiseSeed), cellsOf[alder]!, cellsPerSubject, epsilon));
    });
    test('C2: after a revocation it takes the fresh one', async () => {
      await using group = await TestGroup.start();
      const vault = group.vaults.get(alder)!;
      const scratch = await stoppedWarm(group);
      vault.snapshot = 'fresh snapshot';
      const seen: boolean[] = [];
      await group.slice(alder, { cells: (snapshot) => (seen.push(snapshot.includes('fresh')), cellsOf[alder]!), scratch });
      await released(group, alder);
      expect([vault.sent, seen]).toEqual([[true, true], [true]]);
    });
    test('what was altered in scratch counts for nothing: the snapshot is sent again', async () => {
      await using group = await TestGroup.start();
      const vault = group.vaults.get(alder)!;
      const scratch = await stoppedWarm(group);
      const [name] = readdirSync(join(scratch, 'snapshot'));
      rmSync(join(scratch, 'snapshot', name!));
      writeFileSync(join(scratch, 'snapshot', name!), 'other records');
      await group.slice(alder, { cells: () => cellsOf[alder]!, scratch });
      await released(group, alder);
      expect(vault.sent).toEqual([true, false, true]);
    });
  });

  const lies: readonly [what: string, alter: (input: SliceInput) => SliceInput, message: RegExp][] = [
    ['another plan', (i) => (i.kind === 'snapshot' ? { ...i, plan: { ...i.plan, epsilon: 999_999n } } : i), /another plan/],
    [
      'another snapshot commitment',
      (i) => (i.kind === 'snapshot' ? { ...i, snapshot: { ...i.snapshot, commitment: 'ab'.repeat(32) } } : i),
      /snapshot that does not open/,
    ],
    [
      'another consent receipt',
      (i) => (i.kind === 'snapshot' ? { ...i, consent: { ...i.consent, receipt: 'ef' } } : i),
      /receipt that does not open/,
    ],
    [
      'no snapshot',
      (i) =>
        i.kind === 'snapshot' ? { ...i, snapshot: { ...i.snapshot, held: true }, eligibleBytes: i.eligibleBytes + i.snapshot.bytes } : i,
      /holds none/,
    ],
    ['another task', (i) => ({ ...i, envelope: 'ab'.repeat(32) }), /another task/],
    ['fewer bytes', (i) => (i.kind === 'snapshot' ? { ...i, eligibleBytes: i.eligibleBytes + 100_000 } : i), /fewer bytes/],
    ['more bytes', (i) => (i.kind === 'snapshot' ? { ...i, eligibleBytes: i.eligibleBytes - 1 } : i), /more bytes/],
  ];
  test.each(lies)('A3, S6: a Vault that sends %s is named', async (_what, alter, message) => {
    await using group = await TestGroup.start();
    group.vaults.get(alder)!.alter = alter;
    const slice = await group.slice(alder);
    await expect(slice.ended).rejects.toMatchObject({ code: 'VaultFaulty', message: expect.stringMatching(message) as string });
    expect(await slice.executor).toBe('refused: VaultFaulty');
  });

  test('a refusal for good ends the slice with its code, at release and at opening', async () => {
    await using group = await TestGroup.start();
    group.vaults.get(alder)!.replies.push({ code: 'EvidenceInvalid', message: 'not this one' });
    const slice = await group.slice(alder);
    await expect(slice.ended).rejects.toMatchObject({ code: 'EvidenceInvalid', message: `Vault ${alder}: not this one` });
    expect(await slice.executor).toBe('EvidenceInvalid');
    group.vaults.get(birch)!.refusal = 'ManifestForbids: not this measurement';
    await expect((await group.slice(birch)).ended).rejects.toMatchObject({ code: 'ManifestForbids' });
  });

  test('a refusal unknown to us is borne some times, then said aloud', async () => {
    await using group = await TestGroup.start();
    const vault = group.vaults.get(alder)!;
    vault.replies.push(...Array.from({ length: 20 }, () => ({ code: 'DiskFull', message: 'no room' })));
    const slice = await group.slice(alder);
    await expect(slice.ended).rejects.toMatchObject({ code: 'DiskFull' });
    expect(vault.opened).toHaveLength(9);
  });
});

describe('refusals', () => {
  test('A5: an enclave that the policy does not know fails with AttestationInvalid', async () => {
    await using group = await TestGroup.start();
    const tee = simulatedTee(group.world.genesis, chipOf('alder'), MEASUREMENT.replace(/./g, '0'));
    const slice = await group.slice(alder, { tee });
    await expect(slice.ended).rejects.toMatchObject({ code: 'AttestationInvalid' });
    expect(await slice.executor).toBe('refused: AttestationInvalid');
    await expect((await group.aggregator({ tee })).ended).rejects.toMatchObject({ code: 'AttestationInvalid' });
  });

  test('M2, B3: a blob that does not open its released commitment names its Vault', async () => {
    await using group = await TestGroup.start();
    await startSlices(group);
    const { envelope } = group.world.task(group.uid);
    let wrongKey = '';
    group.server.tamper = async (name, blob) => {
      if (!name.startsWith(`slice/${birch}/`)) return blob;
      const { output, evidence } = group.vaults.get(birch)!.stored!;
      const payload = encodeSlicePayload({ output: { ...output, cells: output.cells.map((c) => c + 1n) }, evidence });
      return packSealed(await seal(wrongKey, 'slice-output', payload, sliceOutputAad(envelope!, birch)));
    };
    const aggregator = await group.aggregator();
    wrongKey = aggregator.keys.sealKey;
    await expect(aggregator.ended).rejects.toMatchObject({
      code: 'EvidenceInvalid',
      message: `Vault ${birch} delivered an output that does not open its released commitment.`,
    });
    expect(group.world.task(group.uid).state).toBe('dispatched');
  });

  test("M3: another Vault's sealed output does not open in this Vault's place", async () => {
    await using group = await TestGroup.start();
    await startSlices(group);
    group.server.tamper = async (name, blob) => {
      if (!name.startsWith(`slice/${birch}/`)) return blob;
      const other = sliceBlobName(cedar, name.split('/')[3]!);
      await group.until(() => group.server.blobs.has(other));
      return group.server.blobs.get(other)!;
    };
    const aggregator = await group.aggregator();
    await expect(aggregator.ended).rejects.toMatchObject({ code: 'EvidenceInvalid', message: expect.stringContaining(birch) as string });
  });

  test('T4: a cancelled task ends its enclaves, whatever they wait for', async () => {
    await using group = await TestGroup.start();
    const slice = await group.slice(alder, { idle: true });
    const aggregator = await group.aggregator();
    await group.until(() => slice.phases.includes('running') && aggregator.phases.includes('waiting'));
    expect(group.server.decide({ type: 'task.cancel', uid: group.uid })).toBeUndefined();
    expect(await slice.ended).toBe('TaskEnded');
    expect(await aggregator.ended).toBe('TaskEnded');
  });

  test('N1: a master that says "decided" and drops the statement costs a moment, no enclave', async () => {
    await using group = await TestGroup.start();
    const dropped = new Set<string>();
    group.server.swallows = ({ type }) => !dropped.has(type) && dropped.add(type).has(type);
    const slices = await startSlices(group);
    const aggregator = await group.aggregator();
    expect(await aggregator.ended).toBe('TaskEnded');
    expect(await Promise.all(slices.map((s) => s.ended))).toEqual(['TaskEnded', 'TaskEnded', 'TaskEnded']);
    expect([...dropped].toSorted()).toEqual(['aggregate.evidence', 'enclave.ready']);
  });

  test('N1: an enclave that another took the place of ends, and sends nothing', async () => {
    await using group = await TestGroup.start();
    const first = await group.slice(alder, { idle: true });
    await group.until(() => first.phases.includes('running'));
    const second = await group.slice(alder, { cells: () => cellsOf[alder]! });
    expect(await first.ended).toBe('Replaced');
    await released(group, alder);
    expect(second.phases).toContain('releasing');
    expect(first.phases).not.toContain('releasing');
  });
});
