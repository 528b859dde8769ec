/** Leaves beside batches that the contracts take: `<kind>/<number>`, from 1 on (rules K6, K7, G1, G3). */
export const leafKinds = ['node-rewards', 'dividends', 'slash', 'governance'] as const;
export type LeafKind = (typeof leafKinds)[number];
