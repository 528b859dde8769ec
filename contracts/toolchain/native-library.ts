import { createRequire } from 'node:module';
import path from 'node:path';
import koffi from 'koffi';

/**
 * Where the Move compiler and VM come from: shared libraries inside the npm package `@initia/builder.js`
 * (licence BUSL-1.1: development and tests only, see NOTICE). They exchange bytes by the structs below.
 */
const suffixes: Readonly<Record<string, string>> = {
  'linux-x64': 'x86_64.so',
  'linux-arm64': 'aarch64.so',
  'darwin-x64': 'dylib',
  'darwin-arm64': 'dylib',
};

const packagedFolder = (): string =>
  path.resolve(path.dirname(createRequire(import.meta.url).resolve('@initia/builder.js')), '..', 'library');

/**
 * Absolute path of `libcompiler` or `libmovevm` for this machine. `SCS_MOVE_LIBRARY_DIR` overrides the folder, for
 * images without npm packages. Throws on a machine for which there is none.
 */
export const libraryPath = (name: 'libcompiler' | 'libmovevm'): string => {
  const machine = `${process.platform}-${process.arch}`;
  const suffix = suffixes[machine];
  if (suffix === undefined) throw new Error(`No Move library for ${machine}: Linux and macOS on x86-64 and arm64 have one.`);
  return path.join(process.env['SCS_MOVE_LIBRARY_DIR'] ?? packagedFolder(), `${name}.${suffix}`);
};

/** A vector that the library owns: read it once with `takeBytes`, which frees it. */
export type UnmanagedVector = { is_none: boolean; ptr: unknown; len: number | bigint; cap: number | bigint };
/** Bytes that we own and lend for one call. */
export type ByteSliceView = { is_nil: boolean; ptr: Uint8Array; len: number };
/** Bytes that the library lends to a callback. */
export type U8SliceView = { is_none: boolean; ptr: unknown; len: number | bigint };

/** Anonymous, because koffi keeps names for the whole process and test runners load a module more than once. */
export const UnmanagedVectorType = koffi.struct({ is_none: 'bool', ptr: 'uint8_t*', len: 'size_t', cap: 'size_t' });
export const ByteSliceViewType = koffi.struct({ is_nil: 'bool', ptr: 'const uint8_t*', len: 'size_t' });
export const U8SliceViewType = koffi.struct({ is_none: 'bool', ptr: 'const uint8_t*', len: 'size_t' });
export const ErrorOutType = koffi.inout(koffi.pointer(UnmanagedVectorType));

export const lend = (bytes: Uint8Array): ByteSliceView => ({ is_nil: false, ptr: bytes, len: bytes.length });
export const emptyVector = (): UnmanagedVector => ({ is_none: true, ptr: null, len: 0, cap: 0 });

/** A copy of `length` bytes of native memory. */
export const copyBytes = (ptr: unknown, length: number): Uint8Array => {
  if (length === 0) return new Uint8Array(0);
  const decoded: unknown = koffi.decode(ptr, 'uint8_t', length);
  if (!(decoded instanceof Uint8Array)) throw new Error('koffi did not decode bytes');
  return decoded;
};

export type NativeLibrary = {
  readonly lib: ReturnType<typeof koffi.load>;
  /** Copies the bytes out and frees the library's memory; undefined for none. */
  readonly takeBytes: (v: UnmanagedVector) => Uint8Array | undefined;
};

/** Loads a library and binds what every call needs. */
export const openLibrary = (name: 'libcompiler' | 'libmovevm'): NativeLibrary => {
  const lib = koffi.load(libraryPath(name));
  const destroy: (v: UnmanagedVector) => void = lib.func('destroy_unmanaged_vector', 'void', [UnmanagedVectorType]);
  const takeBytes = (v: UnmanagedVector): Uint8Array | undefined => {
    if (v.is_none) return undefined;
    const bytes = copyBytes(v.ptr, Number(v.len));
    destroy(v);
    return bytes;
  };
  return { lib, takeBytes };
};
