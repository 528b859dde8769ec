/** The plugin in this process: arguments in, exit code and both streams out. */
import { run } from '../run.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly now?: Date;
  readonly signal?: AbortSignal;
  readonly input?: string;
  /** Called with each line as it is printed. */
  readonly onOut?: (line: string) => void;
}
export const NOW = new Date('2026-01-01T12:00:00Z');

export const symphony = async (
  args: readonly string[],
  { environment = {}, now = NOW, signal, input = '', onOut }: RunOptions = {},
): Promise<Ran> => {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await run(args, {
    out: (line) => {
      out.push(line);
      onOut?.(line);
    },
    err: (line) => void err.push(line),
    environment,
    now: () => now,
    signal: signal ?? new AbortController().signal,
    input: () => Promise.resolve(input),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
};
