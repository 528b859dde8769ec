const tickMs = 10_000;

const seconds = (sinceMs: number): string => `${Math.round((Date.now() - sinceMs) / 1000)} s`;

/** One line for a person, on stderr: stdout is for results. */
export const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/**
 * Runs a long step: says once what happens and where things go, then the elapsed time: every second in place on a terminal, else a line every ten seconds.
 * Errors pass through.
 */
export const step = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
  const start = Date.now();
  const terminal = process.stderr.isTTY;
  say(`==> ${title}`);
  const tick = (): void => {
    process.stderr.write(terminal ? `\r    ${seconds(start)}` : `    ... ${seconds(start)}\n`);
  };
  const timer = setInterval(tick, terminal ? 1000 : tickMs);
  try {
    const result = await work();
    process.stderr.write(`${terminal ? '\r' : ''}    done in ${seconds(start)}\n`);
    return result;
  } finally {
    clearInterval(timer);
  }
};
