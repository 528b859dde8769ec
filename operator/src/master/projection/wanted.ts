/** What a projected object is made from, and what it should look like (rule G7). */
import type { CertifiedLeaf, Genesis, State } from '@scs/protocol';
import type { Proof } from './proof.ts';

export interface Wanted {
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec: object;
  readonly status: { readonly proof?: Proof; readonly [field: string]: unknown };
}
export interface Sources {
  readonly genesis: Genesis;
  readonly state: State;
  readonly leaf: (key: string) => CertifiedLeaf | undefined;
}
