/** A master's settings, from the environment the chart sets. A wrong one stops the start with its name. */
import { z } from 'zod';

const address = z.string().regex(/^[^:\s]+:\d{1,5}$/);
const Environment = z.object({
  SCS_MASTER_INDEX: z.coerce.number().int().min(0).max(2),
  SCS_GENESIS: z.string().min(1),
  SCS_KEYS: z.string().min(1),
  SCS_TLS: z.string().min(1),
  SCS_DATA: z.string().min(1),
  SCS_PEERS: z
    .string()
    .transform((list) => list.split(','))
    .pipe(z.array(address).length(3)),
  SCS_CHAIN_URL: z.url(),
  SCS_CHAIN_API_KEY: z.string().optional(),
  SCS_NAMESPACES: z
    .string()
    .transform((list) => list.split(',').filter((n) => n !== ''))
    .pipe(
      z
        .array(z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/))
        .min(1)
        .max(200),
    ),
  SCS_NAMESPACE: z.string().min(1).max(63),
  /** This master's own counter, `host:port`. */
  SCS_COUNTER: address,
  /** Blocks that stay in the live log, at least; older ones go into the archive. */
  SCS_LIVE_BLOCKS: z.coerce.number().int().min(1_024).max(1_000_000).default(8_192),
  SCS_PEERS_LISTEN: address.default('0.0.0.0:7443'),
  SCS_LISTEN: address.default('0.0.0.0:7444'),
  SCS_HEALTH_LISTEN: address.default('0.0.0.0:8080'),
  SCS_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});
export type MasterConfig = z.infer<typeof Environment>;

/** Throws an Error that names each wrong variable. */
export const readConfig = (environment: Readonly<Record<string, string | undefined>>): MasterConfig => {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`the environment is not valid:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
};
