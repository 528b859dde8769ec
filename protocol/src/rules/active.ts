/** Who counts as an active enterprise (rules N3, G3): approved, and with at least S_enterprise bonded, as the chain was last read. */
import { economyOf } from '../economy.ts';
import type { Policy } from '../policy.ts';
import type { Readable } from './draft.ts';
import { bondedBy } from './economy.ts';

export const isActiveEnterprise = (state: Readable, enterprise: string, policy: Pick<Policy, 'economy'>): boolean =>
  state.get('actor', enterprise)?.state === 'active' && bondedBy(state, 'enterprise', enterprise) >= economyOf(policy).stakes.enterprise;
