/** What a transaction did, or would do, from the events of our contracts: as data, and as a sentence. Pure. */
import { z } from 'zod';
import { formatSym } from '@scs/protocol';

export interface ChainEvent {
  readonly type: string;
  readonly data: unknown;
}
/** Amounts in SYM, times in RFC 3339. */
export interface Happening {
  readonly event: string;
  readonly role?: string;
  readonly amount?: string;
  readonly repaid?: string;
  readonly withheld?: string;
  readonly ripensAt?: string;
  readonly expiresAt?: string;
}

const ROLES = ['master', 'enterprise', 'producer'];
const u64 = z.string().regex(/^\d{1,20}$/);
const sym = u64.transform((text) => formatSym(BigInt(text))).optional();
const time = u64.transform((text) => timeOf(BigInt(text))).optional();
const Fields = z.object({
  role: z
    .int()
    .transform((n) => ROLES[n] ?? String(n))
    .optional(),
  amount: sym,
  repaid: sym,
  withheld: sym,
  ripens_at: time,
  expires_at: time,
});

/** Chain time in seconds. */
export const timeOf = (seconds: bigint): string => new Date(Number(seconds) * 1000).toISOString();

const sentences: Readonly<Record<string, (h: Happening) => string>> = {
  Deposited: (h) => `move ${h.amount} SYM into the escrow${h.repaid === '0' ? '' : `, of it ${h.repaid} to repay the debt`}`,
  WithdrawalRequested: (h) => `ask ${h.amount} SYM back from the escrow: ripe at ${h.ripensAt}, unless unused by ${h.expiresAt}`,
  WithdrawalCancelled: () => 'end the withdrawal; its amount is lockable again',
  Withdrawn: (h) => `pay ${h.amount} SYM out of the escrow`,
  RewardClaimed: (h) => `pay ${h.amount} SYM of rewards`,
  DividendClaimed: (h) =>
    `pay ${h.amount} SYM of dividends${h.withheld === '0' ? '' : `; ${h.withheld} SYM go to the treasury, for want of a stake as producer`}`,
  Staked: (h) => `bond ${h.amount} SYM as ${h.role}`,
  UnbondRequested: (h) => `unbond ${h.amount} SYM as ${h.role}: ripe at ${h.ripensAt}`,
  UnbondCancelled: (h) => `bond again what was unbonding as ${h.role}, counted as from now`,
  Unstaked: (h) => `pay out ${h.amount} SYM that were bonded as ${h.role}`,
};

/** Those of `contract` that concern accounts; what else a transaction emits is left out. */
export const happeningsOf = (events: readonly ChainEvent[], contract: string): Happening[] =>
  events.flatMap(({ type, data }) => {
    const [address, , event] = type.split('::');
    const fields = Fields.safeParse(data).data;
    if (!event || !fields || !sentences[event] || bare(address) !== bare(contract)) return [];
    const { role, amount, repaid, withheld, ripens_at: ripensAt, expires_at: expiresAt } = fields;
    const found = { role, amount, repaid, withheld, ripensAt, expiresAt };
    return [{ event, ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) }];
  });
/** Nodes drop leading zeros of addresses in type names. */
const bare = (address: string | undefined): string | undefined => address?.replace(/^0x0*/, '');

export const sentenceOf = (happening: Happening): string => sentences[happening.event]?.(happening) ?? happening.event;
