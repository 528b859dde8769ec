/** How many requests the API server has answered, by its own count. */
import { apiOf } from '../../cluster/api.ts';
import { readAccess } from '../../cluster/kubeconfig.ts';

/** By `VERB resource`; watches are left out, as they end late. */
export type Requests = ReadonlyMap<string, number>;

const label = (labels: string, name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';

export const requestsOf = async (kubeconfig: string): Promise<Requests> => {
  const api = apiOf(readAccess(kubeconfig));
  try {
    const { status, body } = await api.send('GET', '/metrics');
    if (status !== 200) throw new Error(`the API server gave no metrics: ${status}`);
    const counts = new Map<string, number>();
    for (const [, labels = '', value = '0'] of body.matchAll(/^apiserver_request_total\{([^}]*)\} (\S+)$/gm)) {
      const verb = label(labels, 'verb');
      if (verb === 'WATCH' || label(labels, 'resource') === '') continue;
      const subresource = label(labels, 'subresource');
      const what = `${verb} ${label(labels, 'resource')}${subresource === '' ? '' : `/${subresource}`}`;
      counts.set(what, (counts.get(what) ?? 0) + Number(value));
    }
    return counts;
  } finally {
    api.close();
  }
};

/** What was asked between the two counts, the most frequent first. */
export const requestsBetween = (before: Requests, after: Requests): readonly (readonly [what: string, count: number])[] =>
  [...after]
    .map(([what, count]) => [what, count - (before.get(what) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .toSorted((a, b) => b[1] - a[1]);
