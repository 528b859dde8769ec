import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './paths.ts';
import { complete, type Entry, tarOf } from './tar.ts';

/** Blobs and descriptors of the OCI image layout (image-spec 1.1), in a store shared by all images. */
export type Descriptor = { mediaType: string; digest: string; size: number };

/** An image in the store: enough to write it out as an OCI archive. */
export type Image = { ref: string; digest: string; manifest: Descriptor; blobs: readonly Descriptor[] };

const layerType = 'application/vnd.oci.image.layer.v1.tar';
const configType = 'application/vnd.oci.image.config.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

const storeFolder = (): string => join(cacheFolder(), 'images');
const blobFile = (digest: string): string => join(storeFolder(), 'blobs', digest.replace(':', '-'));

const sha256 = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const storeBytes = (mediaType: string, bytes: Buffer): Descriptor => {
  mkdirSync(join(storeFolder(), 'blobs'), { recursive: true });
  const digest = sha256(bytes);
  const partial = `${blobFile(digest)}.${process.pid}.partial`;
  writeFileSync(partial, bytes);
  renameSync(partial, blobFile(digest));
  return { mediaType, digest, size: bytes.length };
};

/** What tells whether a layer must be packed again: names, modes, and each file's identity on disk. */
const layerKey = (entries: readonly Entry[]): string => {
  const facts = entries.map((entry) => {
    const head = [entry.path, entry.mode, entry.owner ?? 0];
    if ('file' in entry) {
      const { size, mtimeMs, ino } = statSync(entry.file);
      return [...head, entry.file, size, mtimeMs, ino];
    }
    return [...head, 'bytes' in entry ? sha256(entry.bytes) : 'link' in entry ? entry.link : ''];
  });
  return sha256(JSON.stringify(facts)).slice('sha256:'.length);
};

const readDescriptor = (file: string): Descriptor | undefined => {
  if (!existsSync(file)) return undefined;
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof value !== 'object' || value === null || !('digest' in value) || !('size' in value)) return undefined;
  const { digest, size } = value;
  return typeof digest === 'string' && typeof size === 'number' ? { mediaType: layerType, digest, size } : undefined;
};

/** Packs entries as one uncompressed layer, or finds the one packed before from the same files. */
export const storeLayer = (given: readonly Entry[]): Descriptor => {
  const entries = complete(given);
  const index = join(storeFolder(), 'layers', `${layerKey(entries)}.json`);
  const known = readDescriptor(index);
  if (known !== undefined && existsSync(blobFile(known.digest))) return known;
  mkdirSync(join(storeFolder(), 'layers'), { recursive: true });
  mkdirSync(join(storeFolder(), 'blobs'), { recursive: true });
  const partial = join(storeFolder(), 'blobs', `layer.${process.pid}.${Date.now()}.partial`);
  const out = openSync(partial, 'w');
  const hash = createHash('sha256');
  let size = 0;
  try {
    for (const chunk of tarOf(entries)) {
      hash.update(chunk);
      writeSync(out, chunk);
      size += chunk.length;
    }
  } finally {
    closeSync(out);
  }
  const layer = { mediaType: layerType, digest: `sha256:${hash.digest('hex')}`, size };
  renameSync(partial, blobFile(layer.digest));
  const indexPartial = `${index}.${process.pid}.partial`;
  writeFileSync(indexPartial, JSON.stringify(layer));
  renameSync(indexPartial, index);
  return layer;
};

export type ImageConfig = {
  entrypoint: readonly string[];
  args?: readonly string[];
  user?: string;
  environment?: Readonly<Record<string, string>>;
  workingFolder?: string;
};

/** Writes config and manifest over layers. The same layers and config give the same digest. */
export const storeImage = (ref: string, config: ImageConfig, layers: readonly Descriptor[]): Image => {
  const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', ...config.environment };
  const configBlob = storeBytes(
    configType,
    Buffer.from(
      JSON.stringify({
        created: '1970-01-01T00:00:00Z',
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: {
          Entrypoint: config.entrypoint,
          ...(config.args === undefined ? {} : { Cmd: config.args }),
          User: config.user ?? '65532:65532',
          Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
          WorkingDir: config.workingFolder ?? '/',
        },
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      }),
    ),
  );
  const manifest = storeBytes(
    manifestType,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: configBlob, layers })),
  );
  return { ref, digest: manifest.digest, manifest, blobs: [...layers, configBlob, manifest] };
};

/** Entries of an OCI archive of the images, without the blobs in `present`. */
export const archiveEntries = (images: readonly Image[], present: ReadonlySet<string> = new Set()): Entry[] => {
  const blobs = new Map(
    images.flatMap((image) => image.blobs.filter(({ digest }) => !present.has(digest)).map((blob) => [blob.digest, blob])),
  );
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: images.map(({ ref, manifest }) => ({
      ...manifest,
      annotations: { 'io.containerd.image.name': ref, 'org.opencontainers.image.ref.name': ref.slice(ref.lastIndexOf(':') + 1) },
    })),
  };
  return complete([
    { path: 'oci-layout', mode: 0o644, bytes: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', mode: 0o644, bytes: Buffer.from(JSON.stringify(index)) },
    ...[...blobs.keys()].map((digest): Entry => ({ path: `blobs/${digest.replace(':', '/')}`, mode: 0o644, file: blobFile(digest) })),
  ]);
};
