/** A derivation rule as an object shows it: names of groups only. Which values make them up is in the catalogue (S2). */
import type { DerivationRule } from '@scs/protocol';

export const flatRule = (rule: DerivationRule): object => {
  const { from, kind } = rule;
  switch (rule.kind) {
    case 'bucket':
      return { kind, from, buckets: rule.buckets.map((b) => b.name), ...(rule.otherwise && { otherwise: rule.otherwise }) };
    case 'boolean':
      return { kind, from, buckets: ['true'], otherwise: 'false' };
    case 'threshold':
      return { kind, from, buckets: [rule.below, ...rule.bands.map((b) => b.name)] };
    case 'hash':
      return { kind, from, groups: rule.groups };
    case 'aggregate':
      return { kind, from, unit: rule.unit };
  }
};
