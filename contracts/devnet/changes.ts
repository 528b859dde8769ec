import { BcsReader } from './bcs-reader.ts';
import { addressText, bytesOf, hex, sha3 } from './bytes.ts';
import type { Chain } from './chain.ts';
import type { ModuleAbi, ReadEntry } from './modules.ts';
import { decodeValue } from './move-json.ts';
import type { Json, Layouts } from './move-json.ts';
import { typeText } from './move-types.ts';
import type { StructType } from './move-types.ts';
import { layoutsOf } from './render.ts';
import { splitKey } from './state-keys.ts';
import { readStructTag } from './type-tags.ts';

type Change = { readonly [name: string]: unknown };
type Entry = NonNullable<ReturnType<typeof splitKey>>;

/** A resource's type and value as the API shows them; values that the layouts don't cover as hex. */
export const renderResource = (type: StructType, value: Uint8Array, layouts: Layouts): { type: string; data: Json } => {
  try {
    return { type: typeText(type), data: decodeValue(value, type, layouts) };
  } catch {
    return { type: typeText(type), data: { bytes: hex(value) } };
  }
};

const renderEntry = (
  entry: Entry,
  value: Uint8Array | undefined,
  base: Change,
  layouts: Layouts,
  abiOf: (name: string) => ModuleAbi | undefined,
): Change => {
  const written = value !== undefined;
  switch (entry.kind) {
    case 'resource': {
      const type = readStructTag(new BcsReader(entry.rest));
      const at = { ...base, address: addressText(entry.address) };
      return written
        ? { ...at, type: 'write_resource', data: renderResource(type, value, layouts) }
        : { ...at, type: 'delete_resource', resource: typeText(type) };
    }
    case 'module': {
      const name = new BcsReader(entry.rest).string();
      const at = { ...base, address: addressText(entry.address) };
      return written
        ? { ...at, type: 'write_module', data: { bytecode: hex(value), abi: abiOf(name) } }
        : { ...at, type: 'delete_module', module: `${addressText(entry.address)}::${name}` };
    }
    default: {
      const at = { ...base, handle: hex(entry.address), key: hex(entry.rest), data: null };
      return written ? { ...at, type: 'write_table_item', value: hex(value) } : { ...at, type: 'delete_table_item' };
    }
  }
};

/** What a transaction changed, rebuilt from the store; checksums and table headers are the VM's own business. */
export const renderChanges = (chain: Chain, version: number): readonly Change[] => {
  const read: ReadEntry = (key) => chain.store.read(key, version);
  const layouts = layoutsOf(chain.modules, read);
  return [...chain.store.writesOf(version)].flatMap(([key, value]) => {
    const entry = splitKey(bytesOf(key));
    if (entry === undefined || entry.kind === 'checksum' || entry.kind === 'tableInfo') return [];
    const abiOf = (name: string): ModuleAbi | undefined => chain.modules.abi(read, entry.address, name);
    return [renderEntry(entry, value, { state_key_hash: hex(sha3(bytesOf(key))) }, layouts, abiOf)];
  });
};
