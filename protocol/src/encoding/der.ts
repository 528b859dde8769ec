/** Just enough strict DER to read an X.509 certificate's extensions: definite minimal lengths, no trailing bytes. */
export interface DerNode {
  readonly tag: number;
  readonly value: Uint8Array;
}
const MAX_NODES = 4096;

const readNode = (bytes: Uint8Array, offset: number): { node: DerNode; end: number } | undefined => {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  const size = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || size > 3) return undefined;
  let length = size === 0 ? first : 0;
  for (let i = 0; i < size; i++) length = length * 256 + (bytes[offset + 2 + i] ?? 0);
  if (size > 0 && length < (size === 1 ? 0x80 : 256 ** (size - 1))) return undefined;
  const start = offset + 2 + size;
  return start + length > bytes.length ? undefined : { node: { tag, value: bytes.subarray(start, start + length) }, end: start + length };
};

/** The nodes that fill `bytes` exactly; undefined when they don't. */
export const derNodes = (bytes: Uint8Array): readonly DerNode[] | undefined => {
  const nodes: DerNode[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const read = readNode(bytes, offset);
    if (!read || nodes.length >= MAX_NODES) return undefined;
    nodes.push(read.node);
    offset = read.end;
  }
  return nodes;
};

const only = (bytes: Uint8Array): DerNode | undefined => {
  const nodes = derNodes(bytes);
  return nodes?.length === 1 ? nodes[0] : undefined;
};

/** Object identifier in dotted form. */
const oid = (value: Uint8Array): string => {
  const parts: number[] = [];
  let current = 0;
  for (const byte of value) {
    current = current * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    if (parts.length === 0) parts.push(Math.min(2, Math.floor(current / 40)), current - 40 * Math.min(2, Math.floor(current / 40)));
    else parts.push(current);
    current = 0;
  }
  return parts.join('.');
};

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const EXTENSIONS = 0xa3;

/** Extension values of a DER certificate by object identifier; undefined when it is not strict DER or an extension comes twice. */
export const certificateExtensions = (certificate: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined => {
  const outer = only(certificate);
  const parts = outer?.tag === SEQUENCE ? derNodes(outer.value) : undefined;
  const [body, algorithm, signature] = parts ?? [];
  if (parts?.length !== 3 || body?.tag !== SEQUENCE || algorithm?.tag !== SEQUENCE || signature?.tag !== BIT_STRING) return undefined;
  const wrapper = derNodes(body.value)?.find(({ tag }) => tag === EXTENSIONS);
  const list = wrapper && only(wrapper.value);
  const found = new Map<string, Uint8Array>();
  for (const extension of (list && derNodes(list.value)) ?? []) {
    const fields = derNodes(extension.value);
    const name = fields?.[0];
    const value = fields?.at(-1);
    if (!name || !value || name === value || found.has(oid(name.value))) return undefined;
    found.set(oid(name.value), value.value);
  }
  return found;
};

/** A small DER INTEGER; undefined for anything else. */
export const derSmallInteger = (bytes: Uint8Array): number | undefined => {
  const node = only(bytes);
  if (node?.tag !== 0x02 || node.value.length < 1 || node.value.length > 4 || (node.value[0]! & 0x80) !== 0) return undefined;
  return node.value.reduce((n, byte) => n * 256 + byte, 0);
};
/** The content of a DER OCTET STRING, or the bytes themselves where the issuer left the wrapper out (AMD's hwID). */
export const derOctets = (bytes: Uint8Array, length: number): Uint8Array | undefined => {
  if (bytes.length === length) return bytes;
  const node = only(bytes);
  return node?.tag === 0x04 && node.value.length === length ? node.value : undefined;
};
