/** The agent's settings, from the environment the chart sets. A wrong one stops the start with its name. */
import { z } from 'zod';

const Environment = z.object({
  SCS_NAMESPACE: z.string().min(1).max(63),
  SCS_GENESIS: z.string().min(1),
  SCS_KEYS: z.string().min(1),
  SCS_TLS: z.string().min(1),
  SCS_MASTERS: z
    .string()
    .transform((list) => list.split(','))
    .pipe(z.array(z.string().regex(/^[^:\s]+:\d+$/)).length(3)),
  SCS_IMAGE_VAULT: z.string().min(1),
  SCS_IMAGE_SIDECAR: z.string().min(1),
  SCS_IMAGE_EXECUTOR: z.string().min(1),
  SCS_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
  SCS_RUNTIME_CLASS: z
    .string()
    .optional()
    .transform((name) => name || undefined),
  SCS_DEPLOYMENT: z.string().min(1).default('scs-agent'),
  SCS_HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  SCS_SLICE_MEMORY: z.string().default('512Mi'),
  SCS_SUBJECT_RIGHTS: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
  SCS_RIGHTS_SERVICE: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).default('ClusterIP'),
});

export interface Images {
  readonly vault: string;
  readonly sidecar: string;
  readonly executor: string;
  readonly pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
}
export interface AgentConfig {
  readonly namespace: string;
  readonly genesisFile: string;
  readonly keysFolder: string;
  readonly tlsFolder: string;
  readonly masters: readonly string[];
  readonly images: Images;
  /** Kata runtime class; required outside simulation (A2). */
  readonly runtimeClass: string | undefined;
  readonly deployment: string;
  readonly healthPort: number;
  readonly sliceMemory: string;
  /** May Vaults whose manifest says so serve their subjects over HTTPS (C4)? */
  readonly subjectRights: boolean;
  readonly rightsServiceType: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
}

/** Throws an Error that names each wrong variable. */
export const readConfig = (environment: Readonly<Record<string, string | undefined>>): AgentConfig => {
  const parsed = Environment.safeParse(environment);
  if (!parsed.success) throw new Error(`the environment is not valid:\n${z.prettifyError(parsed.error)}`);
  const env = parsed.data;
  return {
    namespace: env.SCS_NAMESPACE,
    genesisFile: env.SCS_GENESIS,
    keysFolder: env.SCS_KEYS,
    tlsFolder: env.SCS_TLS,
    masters: env.SCS_MASTERS,
    images: {
      vault: env.SCS_IMAGE_VAULT,
      sidecar: env.SCS_IMAGE_SIDECAR,
      executor: env.SCS_IMAGE_EXECUTOR,
      pullPolicy: env.SCS_IMAGE_PULL_POLICY,
    },
    runtimeClass: env.SCS_RUNTIME_CLASS,
    deployment: env.SCS_DEPLOYMENT,
    healthPort: env.SCS_HEALTH_PORT,
    sliceMemory: env.SCS_SLICE_MEMORY,
    subjectRights: env.SCS_SUBJECT_RIGHTS,
    rightsServiceType: env.SCS_RIGHTS_SERVICE,
  };
};
