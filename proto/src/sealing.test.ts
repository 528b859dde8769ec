import { expect, test } from 'vitest';
import { utf8 } from '@scs/protocol';
import { generateSealKey, open, openContext, packSealed, seal, SealError, sealContext, unpackSealed } from './sealing.ts';

const aad = utf8('envelope digest and vault');

test('M5: only the key it was sealed to opens it, for that purpose and context', async () => {
  const [mine, other] = await Promise.all([generateSealKey(), generateSealKey()]);
  const sealed = await seal(mine.publicKey, 'task-result', utf8('cells'), aad);
  expect(await open(mine.privateKey, 'task-result', unpackSealed(packSealed(sealed)), aad)).toEqual(utf8('cells'));
  await expect(open(other.privateKey, 'task-result', sealed, aad)).rejects.toThrow(SealError);
  await expect(open(mine.privateKey, 'slice-output', sealed, aad)).rejects.toThrow(SealError);
  await expect(open(mine.privateKey, 'task-result', sealed, utf8('another envelope'))).rejects.toThrow(SealError);
});

test('a stream opens in its order only, and not when altered or cut', async () => {
  const { publicKey, privateKey } = await generateSealKey();
  const sender = await sealContext(publicKey, 'slice-input');
  const first = await sender.seal(utf8('header'));
  const second = await sender.seal(utf8('rows'));
  const inOrder = await openContext(privateKey, 'slice-input', sender.enc);
  expect(await inOrder.open(first)).toEqual(utf8('header'));
  expect(await inOrder.open(second)).toEqual(utf8('rows'));
  const swapped = await openContext(privateKey, 'slice-input', sender.enc);
  await expect(swapped.open(second)).rejects.toThrow(SealError);
  const altered = await openContext(privateKey, 'slice-input', sender.enc);
  await expect(altered.open(first.with(0, first[0]! ^ 1))).rejects.toThrow(SealError);
});

test('a malformed key or blob is a SealError, not a crash', async () => {
  const { privateKey } = await generateSealKey();
  await expect(sealContext('00', 'slice-input')).rejects.toThrow(SealError);
  await expect(open(privateKey, 'task-result', unpackSealed(new Uint8Array(7)))).rejects.toThrow(SealError);
});
