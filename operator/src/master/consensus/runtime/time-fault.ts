/** T5: whether a block's time fits the parent's and the voter's clock. Pure. */

export type TimeFault = { readonly code: 'TimeBeforeParent' | 'TimeOutOfBound'; readonly offByMs: number };
/**
 * Never below the parent's; a first proposal within `boundMs` of the voter's clock. A block offered before may be old, never ahead: who
 * offers it gains no more by letting time lag than by offering nothing.
 */
export const timeFault = (time: number, parentTime: number, clockMs: number, boundMs: number, again: boolean): TimeFault | undefined => {
  if (time < parentTime) return { code: 'TimeBeforeParent', offByMs: parentTime - time };
  const ahead = time - clockMs;
  // log time may itself be ahead of this clock, within the bound of the clock that moved it there
  if (ahead > boundMs && time > parentTime) return { code: 'TimeOutOfBound', offByMs: ahead };
  if (!again && -ahead > boundMs) return { code: 'TimeOutOfBound', offByMs: ahead };
  return undefined;
};
