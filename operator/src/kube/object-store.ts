import type { KubeObject } from './objects.ts';

export type Change<T> =
  | { readonly type: 'added'; readonly object: T; readonly old?: undefined }
  | { readonly type: 'modified'; readonly object: T; readonly old: T }
  | { readonly type: 'deleted'; readonly object: T; readonly old: T };

export interface ObjectStore<T> {
  list(): readonly T[];
  get(namespace: string | undefined, name: string): T | undefined;
  /** A watch event. One that tells nothing new is passed over. */
  take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
  /** A new list: what is not in it was deleted. With `redeliver` unchanged objects are told as modified, too. */
  replace(items: readonly T[], redeliver: boolean): void;
}

const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;

/** Field ownership is the API server's business, and often most of an object's bytes. */
function slim<T extends KubeObject>(object: T): T {
  if (!('managedFields' in object.metadata)) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Objects by namespace and name, and the difference that each event or list makes. */
export function createObjectStore<T extends KubeObject>(tell: (change: Change<T>) => void): ObjectStore<T> {
  const objects = new Map<string, T>();

  const remove = (key: string, last?: T): void => {
    const old = objects.get(key);
    if (old === undefined) return;
    objects.delete(key);
    tell({ type: 'deleted', object: last ?? old, old });
  };

  const put = (given: T, redeliver: boolean): void => {
    const object = slim(given);
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const old = objects.get(key);
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) remove(key); // another object under the old one's name
    const before = objects.get(key);
    objects.set(key, object);
    if (before === undefined) return tell({ type: 'added', object });
    if (redeliver || before.metadata.resourceVersion !== object.metadata.resourceVersion) tell({ type: 'modified', object, old: before });
  };

  return {
    list: () => [...objects.values()],
    get: (namespace, name) => objects.get(keyOf(namespace, name)),
    take: (type, object) => {
      if (type !== 'DELETED') return put(object, false);
      const key = keyOf(object.metadata.namespace, object.metadata.name);
      if (objects.get(key)?.metadata.uid === object.metadata.uid) remove(key, slim(object));
    },
    replace: (items, redeliver) => {
      const present = new Set(items.map((item) => keyOf(item.metadata.namespace, item.metadata.name)));
      for (const key of objects.keys()) if (!present.has(key)) remove(key);
      for (const item of items) put(item, redeliver);
    },
  };
}
