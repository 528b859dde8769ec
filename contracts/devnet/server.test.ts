import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDevnet } from './testing/devnet.ts';
import type { TestDevnet } from './testing/devnet.ts';

let devnet: TestDevnet;
beforeAll(async () => {
  devnet = await startDevnet();
});
afterAll(() => devnet.stop());

const ask = async (path: string, init?: RequestInit): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${devnet.url}${path}`, init);
  return { status: response.status, body: await response.json() };
};
const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

describe('what comes from outside is bounded and refused in Aptos form', () => {
  test.each`
    path                                               | status | code
    ${'/v1/nothing'}                                   | ${404} | ${'web_framework_error'}
    ${'/v1/accounts/zz'}                               | ${400} | ${'invalid_input'}
    ${'/v1/accounts/0x1/resource/u64'}                 | ${400} | ${'invalid_input'}
    ${'/v1/accounts/0x1/resource/0x1::a::B%3C'}        | ${400} | ${'invalid_input'}
    ${'/v1/accounts/0x1/resource/%E0%A4%A'}            | ${400} | ${'invalid_input'}
    ${'/v1/accounts/0x1/resource/0x1::a::B'}           | ${404} | ${'resource_not_found'}
    ${'/v1/accounts/0x1/module/a%20b'}                 | ${400} | ${'invalid_input'}
    ${'/v1/transactions/by_hash/0x12'}                 | ${400} | ${'invalid_input'}
    ${'/v1/transactions/by_version/99999'}             | ${404} | ${'transaction_not_found'}
    ${'/v1/transactions/by_version/99999999999999999'} | ${400} | ${'invalid_input'}
    ${'/v1/blocks/by_height/7'}                        | ${404} | ${'block_not_found'}
    ${'/v1/accounts/0x1?ledger_version=99'}            | ${404} | ${'version_not_found'}
    ${'/v1/accounts/0x1?ledger_version=-1'}            | ${400} | ${'invalid_input'}
  `('GET $path is $status $code', async ({ path, status, code }: { path: string; status: number; code: string }) => {
    expect(await ask(path)).toEqual({ status, body: { message: expect.any(String), error_code: code, vm_error_code: null } });
  });

  test('wrong method, wrong content type, no JSON', async () => {
    expect((await ask('/v1/view')).status).toBe(405);
    expect((await ask('/v1/transactions', json({}))).status).toBe(415);
    expect((await ask('/v1/view', { method: 'POST', body: '{' })).status).toBe(400);
    expect((await ask('/fund', json({ address: '0x1', amount: -1 }))).status).toBe(400);
    expect((await ask('/v1/tables/0x1/item', json({ key_type: 'u64', value_type: 'u64', key: 'x' }))).status).toBe(400);
  });

  test('a type nested too deep is refused before the VM sees it', async () => {
    const type = `${'vector<'.repeat(100)}u8${'>'.repeat(100)}`;
    const body = { function: '0x1::devnet_gas::balance', type_arguments: [type], arguments: ['0x1'] };
    expect(await ask('/v1/view', json(body))).toMatchObject({ status: 400, body: { error_code: 'invalid_input' } });
  });

  test('a body beyond the bound is not read', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = http.request(`${devnet.url}/v1/view`, { method: 'POST', headers: { 'content-length': '999999999' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
        request.destroy();
      });
      request.on('error', reject);
      request.write('x');
    });
    expect(status).toBe(413);
    expect((await ask('/v1/view', { method: 'POST', body: 'x'.repeat(300_000) })).status).toBe(413);
  });

  test('time moves forward on request, and only forward', async () => {
    const now = async (): Promise<number> =>
      Number((await ask('/v1/view', json({ function: '0x1::timestamp::now_seconds', arguments: [] }))).body?.toString());
    const before = await now();
    expect((await ask('/v1/devnet/advance_time', json({ seconds: 3600 }))).status).toBe(200);
    expect((await now()) - before).toBeGreaterThanOrEqual(3600);
    expect((await ask('/v1/devnet/advance_time', json({ seconds: -1 }))).status).toBe(400);
  });

  test('every answer tells the ledger state in its headers', async () => {
    const { headers } = await fetch(`${devnet.url}/v1/-/healthy`);
    expect(headers.get('x-aptos-chain-id')).toBe('4');
    expect(headers.get('x-aptos-ledger-version')).toBe('0');
  });
});
