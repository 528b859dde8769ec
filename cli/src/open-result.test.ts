/** M5: the submitter's key opens the result of its task, and nothing else does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeCanonical } from '@scs/protocol';
import { encodeTaskResult, envelopeAad } from '@scs/protocol/slice-input.ts';
import { generateSealKey, packSealed, seal } from '@scs/proto/sealing.ts';
import { openResult, openWithFolder } from './open-result.ts';
import { settledTask, submitterFolder, type SettledTask } from './testing/settled-task.ts';

let settled: SettledTask;
let folder: string;
beforeAll(async () => {
  settled = await settledTask();
  folder = mkdtempSync(join(tmpdir(), 'scs-open-'));
  await submitterFolder(join(folder, 'right'), 'roastery', settled.resultKey);
  const { publicKey, privateKey } = await generateSealKey();
  await submitterFolder(join(folder, 'other'), 'stranger', { publicKey, seed: privateKey });
});
afterAll(() => rmSync(folder, { recursive: true }));

const envelope = (): string => settled.record.envelope!;
const sealed = (): Uint8Array => settled.files['result.sealed']!;
const sealing = async (content: Uint8Array, aad = envelopeAad(envelope())): Promise<Uint8Array> =>
  packSealed(await seal(settled.resultKey.publicKey, 'task-result', content, aad));

test('opens', async () => expect(await openResult(sealed(), settled.resultKey.seed, envelope())).toEqual(settled.result));
test('another key does not', async () => {
  const { privateKey } = await generateSealKey();
  await expect(openResult(sealed(), privateKey, envelope())).rejects.toMatchObject({ code: 'ResultKeyWrong' });
});
test('a result of another envelope does not', () =>
  expect(openResult(sealed(), settled.resultKey.seed, 'ab'.repeat(32))).rejects.toMatchObject({ code: 'ResultKeyWrong' }));
test.each([0, 5, 31, 32])('%i bytes are no sealed result', (length) =>
  expect(openResult(new Uint8Array(length), settled.resultKey.seed, envelope())).rejects.toMatchObject({ code: 'ResultKeyWrong' }),
);
test('what is inside must be a result, of this envelope', async () => {
  const opening = async (content: Uint8Array) => openResult(await sealing(content), settled.resultKey.seed, envelope());
  await expect(opening(Buffer.from('hello'))).rejects.toMatchObject({ code: 'ResultMalformed' });
  await expect(opening(encodeCanonical({ ...settled.result, more: 1 }))).rejects.toMatchObject({ code: 'ResultMalformed' });
  await expect(opening(encodeTaskResult({ ...settled.result, epsilon: 0n }))).rejects.toMatchObject({ code: 'ResultMalformed' });
  await expect(opening(encodeTaskResult({ ...settled.result, envelope: 'ab'.repeat(32) }))).rejects.toMatchObject({
    code: 'ResultMismatch',
  });
});
test('verify: another folder skips the line, the right one that opens nothing fails it', async () => {
  const { task } = settled;
  expect(await openWithFolder(sealed(), join(folder, 'right'), task)).toEqual({ kind: 'opened', result: settled.result });
  expect(await openWithFolder(sealed(), join(folder, 'other'), task)).toMatchObject({ kind: 'skipped' });
  const broken = sealed().map((b, i) => (i === 33 ? b ^ 1 : b));
  expect(await openWithFolder(broken, join(folder, 'right'), task)).toMatchObject({ kind: 'failed' });
});
