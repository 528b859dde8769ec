/**
 * Which counter identity speaks for which master at which height (rules N2, N8). A height's three identities never change once
 * they are known, so that for each height any two quorums share an identity.
 */
export interface Identity {
  readonly master: number;
  readonly key: string;
  /** First and last height at which it counts. */
  readonly from: bigint;
  readonly to?: bigint;
}
export type Roster = readonly Identity[];

/** A decided admission: `key` takes over for `master`. */
export interface Admission {
  readonly master: number;
  readonly key: string;
}

export const identityOf = (roster: Roster, key: string): Identity | undefined => roster.find((i) => i.key === key);

export const countsAt = (roster: Roster, key: string, height: bigint): boolean => {
  const identity = identityOf(roster, key);
  return identity !== undefined && height >= identity.from && (identity.to === undefined || height <= identity.to);
};

/** The identity that speaks for the master from some height on without end. */
export const latestOf = (roster: Roster, master: number): Identity | undefined =>
  roster.find((i) => i.master === master && i.to === undefined);

/** Those that no other has taken over from: the streams of the rest are known, or were dropped. */
export const endless = (roster: Roster): Roster => roster.filter(({ to }) => to === undefined);

/**
 * N8: the new identity counts above the pipeline's window after the block that admits it, the old one up to there. An admission
 * is void while the one before it is still to begin, and for a key that was ever admitted.
 */
export const admit = (roster: Roster, { master, key }: Admission, height: bigint, window: number): Roster => {
  const old = latestOf(roster, master);
  if (!old || old.from > height || identityOf(roster, key)) return roster;
  const last = height + BigInt(window);
  return [...roster.filter((i) => i !== old), { ...old, to: last }, { master, key, from: last + 1n }];
};
