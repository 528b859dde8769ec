import type { StateAccess } from './vm.ts';

/** Writes on top of something else, until they are taken or thrown away. */
export type Overlay = StateAccess & { readonly writes: Map<string, Uint8Array | undefined> };

export const overlay = (below: StateAccess['read']): Overlay => {
  const writes = new Map<string, Uint8Array | undefined>();
  return {
    writes,
    read: (key) => (writes.has(key) ? writes.get(key) : below(key)),
    write: (key, value) => void writes.set(key, value),
    remove: (key) => void writes.set(key, undefined),
  };
};
