import { bcs } from '@mysten/bcs';
import koffi from 'koffi';
import {
  ByteSliceViewType,
  ErrorOutType,
  U8SliceViewType,
  UnmanagedVectorType,
  copyBytes,
  emptyVector,
  lend,
  openLibrary,
} from '../toolchain/native-library.ts';
import type { ByteSliceView, U8SliceView, UnmanagedVector } from '../toolchain/native-library.ts';
import { bcsBytes, bcsString, bcsVector, concat, keyOf, u64Bytes } from './bytes.ts';

/** What the VM reads and writes while it runs one call. Keys are latin1 strings of the VM's access paths. */
export type StateAccess = {
  readonly read: (key: string) => Uint8Array | undefined;
  readonly write: (key: string, value: Uint8Array) => void;
  readonly remove: (key: string) => void;
};

/** What a transaction can learn of its surroundings. Time in microseconds since 1970. */
export type Environment = { readonly height: number; readonly timeUs: number; readonly transactionHash: Uint8Array };

/** A call of an entry or view function. Type arguments and arguments are BCS, one each. */
export type FunctionCall = {
  readonly address: Uint8Array;
  readonly module: string;
  readonly name: string;
  readonly typeArguments: readonly Uint8Array[];
  readonly arguments: readonly Uint8Array[];
};

/** `data` is the VM's own JSON; `move-json.ts` turns it into Aptos' form. */
export type RawEvent = { readonly type: string; readonly data: string };
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };
export type GasMetered<T> = { readonly gasUsed: bigint; readonly outcome: Outcome<T> };

export type Vm = {
  readonly initialize: (state: StateAccess, env: Environment, modules: readonly Uint8Array[]) => Outcome<readonly RawEvent[]>;
  readonly execute: (
    state: StateAccess,
    env: Environment,
    senders: readonly Uint8Array[],
    call: FunctionCall,
    gas: bigint,
  ) => GasMetered<readonly RawEvent[]>;
  readonly view: (state: StateAccess, env: Environment, call: FunctionCall, gas: bigint) => GasMetered<string>;
  /** The ABI as JSON text. */
  readonly moduleAbi: (bytecode: Uint8Array) => Outcome<string>;
  readonly close: () => void;
};

const success = 0;
const failure = 1;

const VmConfig = bcs.struct('VmConfig', { allowUnstable: bcs.bool(), scriptCacheCapacity: bcs.u64(), moduleCacheCapacity: bcs.u64() });
const Events = bcs.vector(bcs.struct('Event', { type: bcs.string(), data: bcs.string() }));
const ViewOutput = bcs.struct('ViewOutput', { ret: bcs.string() });

const environmentBytes = (env: Environment): Uint8Array =>
  concat(u64Bytes(BigInt(env.height)), u64Bytes(BigInt(env.timeUs)), u64Bytes(1n), env.transactionHash, env.transactionHash);
const callBytes = (call: FunctionCall): Uint8Array =>
  concat(
    call.address,
    bcsString(call.module),
    bcsString(call.name),
    bcsVector(call.typeArguments),
    bcsVector(call.arguments.map(bcsBytes)),
    Uint8Array.of(0), // arguments are BCS, not JSON
  );

const dbTypes = () => {
  const state = 'void*';
  const out = koffi.pointer(UnmanagedVectorType);
  return {
    read: koffi.proto('int32_t', [state, U8SliceViewType, out, out]),
    write: koffi.proto('int32_t', [state, U8SliceViewType, U8SliceViewType, out]),
    remove: koffi.proto('int32_t', [state, U8SliceViewType, out]),
    unsupported: koffi.proto('int32_t', [state]),
  };
};

type Handles = Readonly<Record<string, unknown>>;

/**
 * Binds the VM's storage to whatever `current()` gives at the moment of a callback. A thrown error must not cross the border of the
 * library: it is kept, the VM is told of a failure, and the caller rethrows.
 */
const bindStorage = (
  current: () => StateAccess,
  fail: (error: unknown) => void,
  newVector: (nil: boolean, bytes: Uint8Array | null, length: number) => UnmanagedVector,
) => {
  const types = dbTypes();
  const bytesIn = (slice: U8SliceView): Uint8Array => copyBytes(slice.ptr, Number(slice.len));
  const guarded = (body: () => void): number => {
    try {
      body();
      return success;
    } catch (error) {
      fail(error);
      return failure;
    }
  };
  const read = (_state: unknown, key: U8SliceView, out: unknown): number =>
    guarded(() => {
      const value = current().read(keyOf(bytesIn(key)));
      koffi.encode(out, UnmanagedVectorType, value === undefined ? newVector(true, null, 0) : newVector(false, value, value.length));
    });
  const write = (_state: unknown, key: U8SliceView, value: U8SliceView): number =>
    guarded(() => current().write(keyOf(bytesIn(key)), bytesIn(value)));
  const remove = (_state: unknown, key: U8SliceView): number => guarded(() => current().remove(keyOf(bytesIn(key))));
  const unsupported = (): number => failure;
  const registered = {
    read: koffi.register(read, koffi.pointer(types.read)),
    write: koffi.register(write, koffi.pointer(types.write)),
    remove: koffi.register(remove, koffi.pointer(types.remove)),
    unsupported: koffi.register(unsupported, koffi.pointer(types.unsupported)),
  };
  const none = registered.unsupported;
  const db: Handles = { state: null, read: registered.read, write: registered.write, remove: registered.remove, scan: none };
  const api: Handles = { state: null, query: none, account: none, toShare: none, toAmount: none, unbond: none, price: none };
  return { db, api, release: () => Object.values(registered).forEach((r) => koffi.unregister(r)) };
};

/** One cell, in and out; koffi gives back a number where it is small enough. */
type Gas = (bigint | number)[];
type Run = (
  vm: unknown,
  gas: Gas,
  db: Handles,
  api: Handles,
  env: ByteSliceView,
  senders: ByteSliceView,
  call: ByteSliceView,
  error: UnmanagedVector,
) => UnmanagedVector;
type RunView = (
  vm: unknown,
  gas: Gas,
  db: Handles,
  api: Handles,
  env: ByteSliceView,
  call: ByteSliceView,
  error: UnmanagedVector,
) => UnmanagedVector;
type Initialize = (
  vm: unknown,
  db: Handles,
  api: Handles,
  env: ByteSliceView,
  bundle: ByteSliceView,
  publishers: ByteSliceView,
  error: UnmanagedVector,
) => UnmanagedVector;
type Decode = (error: UnmanagedVector, bytes: ByteSliceView) => UnmanagedVector;
type NewVector = (nil: boolean, bytes: Uint8Array | null, length: number) => UnmanagedVector;

const bindFunctions = (lib: ReturnType<typeof openLibrary>['lib']) => {
  const pointers = (names: readonly string[]) => koffi.struct(Object.fromEntries(names.map((n) => [n, 'void*'])));
  const db = pointers(['state', 'read', 'write', 'remove', 'scan']);
  const api = pointers(['state', 'query', 'account', 'toShare', 'toAmount', 'unbond', 'price']);
  const gas = koffi.inout(koffi.pointer('uint64_t'));
  const [slice, vector, error] = [ByteSliceViewType, UnmanagedVectorType, ErrorOutType];
  const allocate: (config: ByteSliceView) => unknown = lib.func('allocate_vm', 'void*', [slice]);
  const release: (vm: unknown) => void = lib.func('release_vm', 'void', ['void*']);
  const newVector: NewVector = lib.func('new_unmanaged_vector', vector, ['bool', 'const uint8_t*', 'size_t']);
  const initialize: Initialize = lib.func('initialize', vector, ['void*', db, api, slice, slice, slice, error]);
  const execute: Run = lib.func('execute_contract', vector, ['void*', gas, db, api, slice, slice, slice, error]);
  const view: RunView = lib.func('execute_view_function', vector, ['void*', gas, db, api, slice, slice, error]);
  const decodeModule: Decode = lib.func('decode_module_bytes', vector, [error, slice]);
  return { allocate, release, newVector, initialize, execute, view, decodeModule };
};

/**
 * The Move VM in this process. Calls are synchronous and not reentrant. Callers bound each by its gas, and pass only identifiers and type
 * tags that were checked (`transaction.ts`): the library ends the process over a malformed one.
 */
export const openVm = (): Vm => {
  const { lib, takeBytes } = openLibrary('libmovevm');
  const native = bindFunctions(lib);
  let state: StateAccess | undefined;
  let thrown: { error: unknown } | undefined;
  const storage = bindStorage(
    () => {
      if (state === undefined) throw new Error('The VM touched storage outside a call');
      return state;
    },
    (error) => (thrown ??= { error }),
    native.newVector,
  );
  // "Unstable" is how this compiler marks all of language 2.1.
  const vm = native.allocate(
    lend(VmConfig.serialize({ allowUnstable: true, scriptCacheCapacity: 16, moduleCacheCapacity: 500 }).toBytes()),
  );

  const call = <T>(access: StateAccess, run: (error: UnmanagedVector) => UnmanagedVector, decode: (bytes: Uint8Array) => T): Outcome<T> => {
    state = access;
    thrown = undefined;
    const error = emptyVector();
    const result = takeBytes(run(error));
    const message = takeBytes(error);
    state = undefined;
    const failed = thrown as { error: unknown } | undefined;
    if (failed !== undefined) throw failed.error;
    if (message !== undefined && message.length > 0) return { ok: false, error: Buffer.from(message).toString('utf8') };
    return result === undefined ? { ok: false, error: 'The VM gave no result' } : { ok: true, value: decode(result) };
  };
  const metered = <T>(gas: bigint, run: (left: Gas) => Outcome<T>): GasMetered<T> => {
    const left: Gas = [gas];
    const outcome = run(left);
    return { outcome, gasUsed: gas - BigInt(left[0] ?? 0n) };
  };
  const { db, api } = storage;
  return {
    initialize: (access, env, modules) => {
      const bundle = bcsVector(modules.map(bcsBytes));
      const run = (error: UnmanagedVector) =>
        native.initialize(vm, db, api, lend(environmentBytes(env)), lend(bundle), lend(bcsVector([])), error);
      return call(access, run, (bytes) => Events.parse(bytes));
    },
    execute: (access, env, senders, fn, gas) =>
      metered(gas, (left) => {
        const [e, s, f] = [environmentBytes(env), bcsVector(senders), callBytes(fn)];
        return call(
          access,
          (error) => native.execute(vm, left, db, api, lend(e), lend(s), lend(f), error),
          (bytes) => Events.parse(bytes),
        );
      }),
    view: (access, env, fn, gas) =>
      metered(gas, (left) => {
        const [e, f] = [environmentBytes(env), callBytes(fn)];
        return call(
          access,
          (error) => native.view(vm, left, db, api, lend(e), lend(f), error),
          (bytes) => ViewOutput.parse(bytes).ret,
        );
      }),
    moduleAbi: (bytecode) => {
      const error = emptyVector();
      const result = takeBytes(native.decodeModule(error, lend(bytecode)));
      const message = takeBytes(error);
      if (message !== undefined && message.length > 0) return { ok: false, error: Buffer.from(message).toString('utf8') };
      return { ok: true, value: Buffer.from(result ?? []).toString('utf8') };
    },
    close: () => {
      native.release(vm);
      storage.release();
    },
  };
};
