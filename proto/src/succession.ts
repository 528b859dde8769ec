/** Who the masters are now, by what any of them says: its links prove themselves (rules G5, P5, N9). */
import { committeeOf, decodeSuccession, encodeSuccession, isReplacement, succeeded, successionOf, type Genesis } from '@scs/protocol';

const startsWith = (whole: Uint8Array, start: Uint8Array): boolean => Buffer.from(whole.subarray(0, start.length)).equals(start);

/**
 * The genesis with more links than `known` has; undefined when these bytes bring none. Hostile bytes bring none either: each link must
 * hold, and those that are known must come first. A recovery is not believed so: that its delay has passed on chain is for a person to see.
 */
export const longerSuccession = (known: Genesis, bytes: Uint8Array): Genesis | undefined => {
  const { first, links } = successionOf(known);
  try {
    const told = decodeSuccession(bytes);
    if (told.length <= links.length || !told.slice(links.length).every(isReplacement)) return undefined;
    if (!startsWith(encodeSuccession(told.slice(0, links.length)), encodeSuccession(links))) return undefined;
    const now = succeeded(first, told);
    return committeeOf(now).generation > committeeOf(known).generation ? now : undefined;
  } catch {
    return undefined; // whatever is wrong with it, it appoints nobody
  }
};
