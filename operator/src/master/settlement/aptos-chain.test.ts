/** What a node may do to us, played by a small HTTP server; the real chain is in `test/integration/chain.test.ts`. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { aptosChain } from './aptos-chain.ts';
import { faultOfStatus } from './chain-fault.ts';
import { ChainError } from './chain.ts';
import type { Chain } from './chain.ts';
import { batchOf, certifiedBatch, contractGenesis } from './testing/chain-contract.ts';

type Play = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const CHAIN_ID = 4;
const ledger = { chain_id: CHAIN_ID, ledger_version: '9', ledger_timestamp: '1700000000000000' };
const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
};
/** A node in order as far as the ledger info; `play` answers the rest. */
const withLedger =
  (play: Play): Play =>
  (request, response, body) =>
    request.url === '/v1' ? answer(response, 200, ledger) : play(request, response, body);
/** A node with initialised contracts; `play` answers all views but the first. */
const withContracts = (play: Play): Play =>
  withLedger((request, response, body) => {
    if (request.url?.includes('/module/')) answer(response, 200, { bytecode: '0x00' });
    else if (body.includes('is_initialized')) answer(response, 200, [true]);
    else play(request, response, body);
  });

const chainAt = async (play: Play, timeoutMs = 2_000, commitTimeoutSeconds = 30): Promise<Chain> => {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => play(request, response, Buffer.concat(chunks).toString('latin1')));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return aptosChain({
    url: `http://127.0.0.1:${port}/v1`,
    chainId: CHAIN_ID,
    contract: `0x${'c'.repeat(64)}`,
    genesis: contractGenesis,
    gasKey: '1'.repeat(64),
    requestTimeoutMs: timeoutMs,
    commitTimeoutSeconds,
  });
};

const faultOf = async (call: Promise<unknown>) => {
  const error: unknown = await call.then(
    () => undefined,
    (e: unknown) => e,
  );
  return error instanceof ChainError ? { ...error.fault, transient: error.transient } : error;
};

describe('a hostile or broken node', () => {
  const plays: { what: string; play: Play; code: string; transient: boolean }[] = [
    { what: 'too many requests', play: (_, r) => answer(r, 429, { message: 'slow down' }), code: 'ChainUnavailable', transient: true },
    {
      what: 'an HTML page of a proxy',
      play: (_, r) => answer(r, 502, '<html>bad gateway</html>'),
      code: 'ChainUnavailable',
      transient: true,
    },
    { what: 'a cut connection', play: (_, r) => void r.destroy(), code: 'ChainUnavailable', transient: true },
    { what: 'silence', play: () => {}, code: 'ChainUnavailable', transient: true },
    { what: 'an endless answer', play: (_, r) => answer(r, 200, 'x'.repeat(9 * 1024 * 1024)), code: 'ChainUnavailable', transient: true },
    {
      what: 'a redirect',
      play: (_, r) => void r.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      code: 'ChainUnavailable',
      transient: true,
    },
    { what: 'another chain', play: (_, r) => answer(r, 200, { ...ledger, chain_id: 1 }), code: 'WrongChain', transient: false },
    {
      what: 'no number where one must be',
      play: (_, r) => answer(r, 200, { ...ledger, ledger_version: 'soon' }),
      code: 'ChainMisbehaves',
      transient: false,
    },
    { what: 'no JSON', play: withContracts((_, r) => answer(r, 200, '["0x')), code: 'ChainMisbehaves', transient: false },
    {
      what: 'another genesis',
      play: withContracts((_, r) => answer(r, 200, [`0x${'0'.repeat(64)}`, true])),
      code: 'WrongGenesis',
      transient: false,
    },
    {
      what: 'a node that is behind',
      play: withLedger((_, r) => answer(r, 404, { message: 'Ledger version(9) is not found', error_code: 'version_not_found' })),
      code: 'ChainUnavailable',
      transient: true,
    },
    {
      what: 'no contracts',
      play: withLedger((_, r) => answer(r, 404, { message: 'no such module', error_code: 'module_not_found' })),
      code: 'ContractMissing',
      transient: false,
    },
  ];
  test.each(plays)('$what: $code', async ({ play, code, transient }) => {
    const chain = await chainAt(play, 300);
    expect(await faultOf(chain.observe([]))).toMatchObject({ code, transient });
    expect(await faultOf(chain.settle({ leaf: certifiedBatch(batchOf(1n, [[`0x${'1'.repeat(64)}`, 5n]])) }))).toMatchObject({ code });
  });

  test('a port that nobody listens at', async () => {
    const chain = aptosChain({
      url: 'http://127.0.0.1:9/v1',
      chainId: 4,
      contract: '0x1',
      genesis: contractGenesis,
      gasKey: '1'.repeat(64),
    });
    expect(await faultOf(chain.observe([]))).toMatchObject({ code: 'ChainUnavailable', transient: true });
  });

  test('fewer figures than addresses', async () => {
    const answers = [
      [`0x${contractGenesis}`, true],
      ['1', ['5'], ['0'], ['0']],
    ];
    const chain = await chainAt(withContracts((_, r) => answer(r, 200, answers.shift())));
    expect(await faultOf(chain.observe([`0x${'1'.repeat(64)}`, `0x${'2'.repeat(64)}`]))).toMatchObject({ code: 'ChainMisbehaves' });
  });
});

describe('P4: a transaction that does not land', () => {
  const refusal =
    (status: number, code: string, message: string): Play =>
    (_, r) =>
      answer(r, status, { message, error_code: code, vm_error_code: null });
  const accepted: Play = (_, r) => answer(r, 202, { hash: `0x${'ab'.repeat(32)}`, type: 'pending_transaction' });
  const missing = refusal(404, 'transaction_not_found', 'Transaction not found by hash');
  /** A node whose contracts wait for batch 1, with a gas account; `submit` answers submissions, `found` what is asked of a hash. */
  const nodeWith = (submit: Play, found: Play): Play => {
    const views: readonly (readonly [string, unknown])[] = [
      ['next_number', ['1']],
      ['is_rewarded', [false]],
      ['genesis', [`0x${contractGenesis}`, true]],
    ];
    return withContracts((request, response, body) => {
      const url = request.url ?? '';
      if (request.method === 'POST' && url.startsWith('/v1/transactions')) return submit(request, response, body);
      if (url.startsWith('/v1/transactions/')) return found(request, response, body);
      if (url.startsWith('/v1/estimate_gas_price')) return answer(response, 200, { gas_estimate: 100 });
      if (url.startsWith('/v1/accounts/'))
        return answer(response, 200, { sequence_number: '0', authentication_key: `0x${'1'.repeat(64)}` });
      const view = views.find(([name]) => body.includes(name));
      return answer(response, view ? 200 : 404, view?.[1] ?? { message: 'no such thing', error_code: 'resource_not_found' });
    });
  };
  const committed =
    (status: string): Play =>
    (_, r) =>
      answer(r, 200, {
        type: 'user_transaction',
        hash: `0x${'ab'.repeat(32)}`,
        version: '10',
        success: false,
        vm_status: status,
        events: [],
      });
  test.each([
    ['stuck in the mempool', accepted, missing, 'TransactionPending', true],
    [
      'expired before it was taken',
      refusal(400, 'vm_error', 'Invalid transaction: Type: Validation Code: TRANSACTION_EXPIRED'),
      missing,
      'ChainUnavailable',
      true,
    ],
    ['with a sequence number that is used', refusal(400, 'vm_error', 'SEQUENCE_NUMBER_TOO_OLD'), missing, 'ChainUnavailable', true],
    ['refused by a full mempool', refusal(507, 'mempool_is_full', 'full'), missing, 'ChainUnavailable', true],
    ['answered with 429', refusal(429, 'web_framework_error', 'slow down'), missing, 'ChainUnavailable', true],
    ['answered with 503', refusal(503, 'internal_error', 'soon'), missing, 'ChainUnavailable', true],
    ['whose request is lost', (_: unknown, r: ServerResponse) => void r.destroy(), missing, 'ChainUnavailable', true],
    ['by an account without gas', refusal(400, 'vm_error', 'INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE'), missing, 'GasInsufficient', false],
    ['out of gas', accepted, committed('Out of gas'), 'GasInsufficient', false],
    ['the contract aborts', accepted, committed('Move abort in 0xc::settlement: E_SUMS_DIFFER(0x3): '), 'ContractRefused', false],
  ] as const)('%s', async (_, submit, found, code, transient) => {
    const chain = await chainAt(nodeWith(submit, found), 2_000, 0.1);
    const leaf = certifiedBatch(batchOf(1n, [[`0x${'1'.repeat(64)}`, 5n]]));
    expect(await faultOf(chain.settle({ leaf }))).toMatchObject({ code, transient });
    expect(await faultOf(chain.land('node-rewards', 1n, leaf))).toMatchObject({ code, transient });
  });
});

describe('fault of a status', () => {
  test('out of gas is somebody to fund', () => {
    expect(faultOfStatus('OUT_OF_GAS', '0x1').code).toBe('GasInsufficient');
    expect(faultOfStatus('Out of gas', '0x1').code).toBe('GasInsufficient');
    expect(faultOfStatus('whatever', '0x1').code).toBe('ChainMisbehaves');
  });
});
