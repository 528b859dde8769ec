import { ApiError, errorFromStatus } from './errors.ts';
import { type ResourceKind, collectionPath } from './kinds.ts';
import { lines } from './lines.ts';
import type { KubeObject } from './objects.ts';
import type { Transport } from './transport.ts';
import { type Selection, asObject, isRecord, selectionQuery } from './wire.ts';

export interface WatchOptions extends Selection {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal;
  readonly maxLineBytes?: number;
}

export type WatchEvent<T> =
  { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T } | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** Objects are bounded by etcd at 1.5 MiB; JSON escapes may grow that. */
const longestLine = 8 * 1024 * 1024;

/** One watch connection, event by event; see `Cluster.rawWatch`. */
export async function* watchEvents<T extends KubeObject>(
  transport: Transport,
  kind: ResourceKind,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const stream = await transport.open({
    method: 'GET',
    path: collectionPath(kind, options.namespace),
    query: {
      ...selectionQuery(options),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(options.timeoutSeconds),
    },
    signal: options.signal,
  });
  for await (const line of lines(stream, options.maxLineBytes ?? longestLine)) yield decode<T>(line);
}

function decode<T extends KubeObject>(line: string): WatchEvent<T> {
  const { type, object } = parse(line);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: asObject<T>(object) };
    case 'BOOKMARK':
      return { type, resourceVersion: resourceVersionOf(object) };
    case 'ERROR':
      throw errorFromStatus(object);
    default:
      throw new ApiError('Malformed', 200, 'the watch carries an event of an unknown type');
  }
}

function parse(line: string): { type: unknown; object: unknown } {
  try {
    const event: unknown = JSON.parse(line);
    if (isRecord(event)) return { type: event['type'], object: event['object'] };
  } catch (cause) {
    throw new ApiError('Malformed', 200, 'the watch carries a line that is not JSON', { cause });
  }
  throw new ApiError('Malformed', 200, 'the watch carries a line that is not an event');
}

function resourceVersionOf(object: unknown): string {
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  if (isRecord(metadata) && typeof metadata['resourceVersion'] === 'string') return metadata['resourceVersion'];
  throw new ApiError('Malformed', 200, 'a bookmark carries no resourceVersion');
}
