import { writeAccount, writeChain, writeGas } from './accounts.ts';
import { bcsVector, concat, sha3 } from './bytes.ts';
import { faucetAddress } from './faucet-key.ts';
import type { FrameworkBundle } from './framework.ts';
import { overlay } from './overlay.ts';
import { knownAddress, resourceKey, structType } from './state-keys.ts';
import type { Store } from './store.ts';
import type { Vm } from './vm.ts';
import { blockHash, nextStateRoot } from './state-root.ts';

export type GenesisOptions = {
  readonly chainId: number;
  readonly framework: FrameworkBundle;
  /** Devnet gas by address, beside the faucet's. */
  readonly gas: ReadonlyMap<string, bigint>;
  readonly timeUs: number;
};

/** Enough for any number of tests; still far from overflow. */
const faucetGas = 1_000_000_000_000_000_000n;
const framework = knownAddress('0x1');

/** Writes version 0: the framework at 0x1, its metadata, the chain id, the faucet, and the gas that the options give. */
export const writeGenesis = (store: Store, vm: Vm, options: GenesisOptions): void => {
  const top = overlay(() => undefined);
  const hash = sha3(Buffer.from('scs devnet genesis'), Uint8Array.of(options.chainId));
  const outcome = vm.initialize(top, { height: 0, timeUs: options.timeUs, transactionHash: hash }, options.framework.modules);
  if (!outcome.ok) throw new Error(`The VM refuses the framework: ${outcome.error}`);
  const faucet = faucetAddress(options.chainId);
  top.write(resourceKey(framework, structType('0x1::code::PackageRegistry')), bcsVector(options.framework.metadata));
  writeChain(top.write, options.chainId, faucet);
  const gas = new Map([...options.gas].map(([address, amount]): [Uint8Array, bigint] => [knownAddress(address), amount]));
  for (const [address, amount] of [...gas, [faucet, faucetGas] as const]) {
    writeAccount(top.write, address, { authenticationKey: address, sequenceNumber: 0n, guidCreationNumber: 0n });
    writeGas(top.write, address, amount);
  }
  const stateRoot = nextStateRoot(new Uint8Array(32), hash, top.writes);
  const record = {
    type: 'genesis_transaction',
    version: '0',
    success: true,
    vm_status: 'Executed successfully',
    gas_used: '0',
    events: [],
    payload: { type: 'write_set_payload' },
  };
  const block = {
    height: 0,
    hash: blockHash(new Uint8Array(32), 0, options.timeUs, stateRoot),
    timeUs: options.timeUs,
    firstVersion: 0,
    lastVersion: 0,
  };
  const row = {
    version: 0,
    hash,
    sender: concat(framework),
    sequence: 0n,
    height: 0,
    timeUs: options.timeUs,
    stateRoot,
    record: JSON.stringify(record),
    writes: top.writes,
  };
  store.setMeta('chain_id', String(options.chainId));
  store.commit(block, [row]);
};
