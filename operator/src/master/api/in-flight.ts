/** A share of the waiting room for each caller: whoever floods it keeps only themselves waiting. */
export interface Share {
  readonly calls: number;
  readonly bytes: number;
}

/** Takes `bytes` of the caller's share and gives what puts them back; undefined when the share is used up. */
export const inFlight = (most: Share): ((caller: string, bytes: number) => (() => void) | undefined) => {
  const held = new Map<string, Share>();
  return (caller, bytes) => {
    const now = held.get(caller) ?? { calls: 0, bytes: 0 };
    if (now.calls >= most.calls || now.bytes + bytes > most.bytes) return undefined;
    held.set(caller, { calls: now.calls + 1, bytes: now.bytes + bytes });
    let back = false;
    return () => {
      const then = held.get(caller);
      if (back || !then) return;
      back = true;
      if (then.calls === 1) held.delete(caller);
      else held.set(caller, { calls: then.calls - 1, bytes: then.bytes - bytes });
    };
  };
};
