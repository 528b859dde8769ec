import { createRequire } from 'node:module';
import path from 'node:path';
import koffi from 'koffi';

/**
 * Where the Move compiler and VM come from: shared libraries inside the npm package `@initia/builder.js`
 * (licence BUSL-1.1: development and tests only, see NOTICE). They exchange bytes by the three structs below.
 */
const suffixes: Readonly<Record<string, string>> = {
  'linux-x64': 'x86_64.so',
  'linux-arm64': 'aarch64.so',
  'darwin-x64': 'dylib',
  'darwin-arm64': 'dylib',
};

/** Absolute path of `libcompiler` or `libmovevm` for this machine. `SCS_MOVE_LIBRARY_DIR` overrides the folder (images). Throws where there is none. */
export const libraryPath = (name: 'libcompiler' | 'libmovevm'): string => {
  const suffix = suffixes[`${process.platform}-${process.arch}`];
  if (suffix === undefined)
    throw new Error(`No Move library for ${process.platform}-${process.arch}: Linux and macOS on x86-64 and arm64 have one.`);
  const folder =
    process.env['SCS_MOVE_LIBRARY_DIR'] ??
    path.resolve(path.dirname(createRequire(import.meta.url).resolve('@initia/builder.js')), '..', 'library');
  return path.join(folder, `${name}.${suffix}`);
};

/** A vector that the library owns: read it once with `takeBytes`, which frees it. */
export type UnmanagedVector = { is_none: boolean; ptr: unknown; len: number | bigint; cap: number | bigint };
/** Bytes that we own and lend for one call. */
export type ByteSliceView = { is_nil: boolean; ptr: Uint8Array; len: number };

export const structs = {
  unmanagedVector: koffi.struct('UnmanagedVector', { is_none: 'bool', ptr: 'uint8_t*', len: 'size_t', cap: 'size_t' }),
  byteSliceView: koffi.struct('ByteSliceView', { is_nil: 'bool', ptr: 'const uint8_t*', len: 'size_t' }),
  u8SliceView: koffi.struct('U8SliceView', { is_none: 'bool', ptr: 'const uint8_t*', len: 'size_t' }),
};

export const lend = (bytes: Uint8Array): ByteSliceView => ({ is_nil: false, ptr: bytes, len: bytes.length });
export const emptyVector = (): UnmanagedVector => ({ is_none: true, ptr: null, len: 0, cap: 0 });

export type NativeLibrary = {
  readonly lib: ReturnType<typeof koffi.load>;
  /** Copies the bytes out and frees the library's memory; undefined for none. */
  readonly takeBytes: (v: UnmanagedVector) => Uint8Array | undefined;
};

const viewOf = (ptr: unknown, length: number): Uint8Array => new Uint8Array(koffi.view(ptr, length));

/** Loads a library and binds what every call needs. */
export const openLibrary = (name: 'libcompiler' | 'libmovevm'): NativeLibrary => {
  const lib = koffi.load(libraryPath(name));
  const destroy = lib.func('void destroy_unmanaged_vector(UnmanagedVector v)');
  const takeBytes = (v: UnmanagedVector): Uint8Array | undefined => {
    if (v.is_none) return undefined;
    const length = Number(v.len);
    const bytes = length === 0 ? new Uint8Array(0) : Uint8Array.from(viewOf(v.ptr, length));
    destroy(v);
    return bytes;
  };
  return { lib, takeBytes };
};
