import { z } from 'zod';
import { addressBytes, keyOf, sha3 } from './bytes.ts';
import { parseType, substitute } from './move-types.ts';
import type { MoveType, StructType } from './move-types.ts';
import { moduleKey } from './state-keys.ts';
import type { Vm } from './vm.ts';

/** A module's ABI as the VM gives it, which is also as the Aptos API shows it. */
const Abi = z.object({
  address: z.string(),
  name: z.string(),
  friends: z.array(z.unknown()),
  exposed_functions: z.array(
    z.object({
      name: z.string(),
      visibility: z.string(),
      is_entry: z.boolean(),
      is_view: z.boolean(),
      generic_type_params: z.array(z.unknown()),
      params: z.array(z.string()),
      return: z.array(z.string()),
    }),
  ),
  structs: z.array(
    z.object({
      name: z.string(),
      is_native: z.boolean(),
      abilities: z.array(z.string()),
      generic_type_params: z.array(z.unknown()),
      fields: z.array(z.object({ name: z.string(), type: z.string() })),
    }),
  ),
});
export type ModuleAbi = z.infer<typeof Abi>;
export type FunctionAbi = ModuleAbi['exposed_functions'][number];
export type Field = { readonly name: string; readonly type: MoveType };
/** Reads a state entry, at whatever version the caller means. */
export type ReadEntry = (key: string) => Uint8Array | undefined;

export type Modules = {
  readonly bytecode: (read: ReadEntry, address: Uint8Array, name: string) => Uint8Array | undefined;
  readonly abi: (read: ReadEntry, address: Uint8Array, name: string) => ModuleAbi | undefined;
  readonly function: (read: ReadEntry, address: Uint8Array, module: string, name: string) => FunctionAbi | undefined;
  /** Fields with the struct's type arguments put in; undefined for an unknown struct. */
  readonly fields: (read: ReadEntry, type: StructType) => readonly Field[] | undefined;
};

const cachedModules = 500;

/** What modules declare, decoded once for each bytecode. */
export const openModules = (vm: Vm): Modules => {
  const abis = new Map<string, ModuleAbi>();
  // The store gives the same bytes again: no need to hash them each time.
  const seen = new WeakMap<Uint8Array, ModuleAbi>();
  const decode = (bytecode: Uint8Array): ModuleAbi => {
    const known = seen.get(bytecode) ?? decodeNew(bytecode);
    seen.set(bytecode, known);
    return known;
  };
  const decodeNew = (bytecode: Uint8Array): ModuleAbi => {
    const digest = keyOf(sha3(bytecode));
    const known = abis.get(digest);
    if (known !== undefined) return known;
    const decoded = vm.moduleAbi(bytecode);
    if (!decoded.ok) throw new Error(`The VM can't decode a module that it stored: ${decoded.error}`);
    const abi = Abi.parse(JSON.parse(decoded.value));
    if (abis.size >= cachedModules) abis.clear();
    abis.set(digest, abi);
    return abi;
  };
  const bytecode: Modules['bytecode'] = (read, address, name) => read(moduleKey(address, name));
  const abi: Modules['abi'] = (read, address, name) => {
    const code = bytecode(read, address, name);
    return code === undefined ? undefined : decode(code);
  };
  return {
    bytecode,
    abi,
    function: (read, address, module, name) => abi(read, address, module)?.exposed_functions.find((f) => f.name === name),
    fields: (read, type) => {
      const address = addressBytes(type.address);
      const struct = address === undefined ? undefined : abi(read, address, type.module)?.structs.find((s) => s.name === type.name);
      return struct?.fields.map((f): Field => ({ name: f.name, type: substitute(parseType(f.type), type.args) }));
    },
  };
};
