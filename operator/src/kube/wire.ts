import { ApiError, isApiError } from './errors.ts';
import { type ResourceKind, apiVersionOf } from './kinds.ts';
import type { KubeObject } from './objects.ts';

/** Which objects of a kind; for lists and watches alike. */
export interface Selection {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListBounds {
  /** Objects a page; all pages are read. */
  readonly limit?: number;
  /** More objects than this are refused with `TooLarge`; 100,000 unless told. */
  readonly maxItems?: number;
}

const pageSize = 500;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const hasName = <T extends KubeObject>(value: unknown): value is T =>
  isRecord(value) && isRecord(value['metadata']) && typeof value['metadata']['name'] === 'string';

/** An object of the expected type, as far as anyone can know: the API server has checked it against its schema. Throws `Malformed`. */
export function asObject<T extends KubeObject>(value: unknown): T {
  if (hasName<T>(value)) return value;
  throw new ApiError('Malformed', 200, 'the API server answered with something that is not an object');
}

interface Page {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

function asPage(value: unknown): Page {
  if (!isRecord(value) || !isRecord(value['metadata']) || !Array.isArray(value['items'] ?? [])) {
    throw new ApiError('Malformed', 200, 'the API server answered with something that is not a list');
  }
  const { resourceVersion, continue: next } = value['metadata'];
  return {
    items: (value['items'] ?? []) as readonly unknown[],
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    next: typeof next === 'string' && next !== '' ? next : undefined,
  };
}

/** A selection as query parameters; the namespace is in the path. */
export const selectionQuery = ({ labelSelector, fieldSelector }: Selection): Record<string, string> => ({
  ...(labelSelector === undefined ? {} : { labelSelector }),
  ...(fieldSelector === undefined ? {} : { fieldSelector }),
});

/** Reads page after page. A snapshot that expired in between (410) is begun again, three times at most. */
export async function listAll<T extends KubeObject>(
  kind: ResourceKind,
  options: Selection & ListBounds,
  fetchPage: (query: Record<string, string>) => Promise<unknown>,
): Promise<{ items: T[]; resourceVersion: string }> {
  const maxItems = options.maxItems ?? 100_000;
  for (let expired = 0; ; expired += 1) {
    try {
      const items: T[] = [];
      let page: Page | undefined;
      do {
        const query: Record<string, string> = { ...selectionQuery(options), limit: String(options.limit ?? pageSize) };
        if (page?.next !== undefined) query['continue'] = page.next;
        page = asPage(await fetchPage(query));
        for (const item of page.items) items.push({ ...asObject<T>(item), apiVersion: apiVersionOf(kind), kind: kind.kind });
        if (items.length > maxItems) throw new ApiError('TooLarge', 200, `there are more than ${maxItems} ${kind.plural}`);
      } while (page.next !== undefined);
      return { items, resourceVersion: page.resourceVersion };
    } catch (thrown) {
      if (!isApiError(thrown, 'Gone') || expired >= 2) throw thrown;
    }
  }
}
