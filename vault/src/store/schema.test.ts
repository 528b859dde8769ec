import { expect, test } from 'vitest';
import type { CanonicalAttribute, Catalogue } from '@scs/protocol';
import { columnsOf } from './schema.ts';

const attribute = (name: string, domain: string, state: CanonicalAttribute['state'] = 'active'): CanonicalAttribute => ({
  name,
  domain,
  type: 'string',
  state,
  directlyQueryable: false,
  description: '',
});
const domain = (name: string, parent?: string) => ({ name, overlapBound: 1, description: '', ...(parent !== undefined && { parent }) });
const catalogue: Catalogue = {
  domains: [domain('global'), domain('retail', 'global'), domain('retail.purchase', 'retail'), domain('retail.receipt', 'retail')],
  canonicalAttributes: [
    attribute('receipt.city', 'retail.receipt'),
    attribute('purchase.store', 'retail.purchase'),
    attribute('purchase.town', 'retail.purchase', 'registered'),
    attribute('purchase.till', 'retail.purchase', 'superseded'),
    attribute('household.age', 'retail'),
    attribute('anyone.country', 'global'),
  ],
  queryAttributes: [],
};
test("S4, S1: a domain's columns are its own attributes and those above it that were ever in force", () => {
  const names = (of: string) => columnsOf(catalogue, of).map(({ name }) => name);
  expect(names('retail.purchase')).toEqual(['anyone.country', 'household.age', 'purchase.store', 'purchase.till']);
  expect(names('retail.receipt')).toEqual(['anyone.country', 'household.age', 'receipt.city']);
  expect(names('nowhere')).toEqual([]);
});
