/** `keygen secrets`: a key folder as Secret manifests, to pipe into kubectl apply. Nothing else ever carries a private key to a cluster. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { readPublic, readText } from '../keys/key-folder.ts';

/** Which files go into which Secret, by kind of identity. `optional` ones are left out when the folder lacks them. */
const layouts: Readonly<
  Record<string, (name: string) => Readonly<Record<string, { readonly files: readonly string[]; readonly optional?: boolean }>>>
> = {
  master: (name) => ({ [`scs-${name}-keys`]: { files: ['durable.key', 'gas.key', 'tls.crt', 'tls.key'] } }),
  enterprise: () => ({
    'scs-agent-keys': { files: ['actor.key'] },
    'scs-tls': { files: ['tls.crt', 'tls.key'] },
    'scs-chip': { files: ['chip.json'], optional: true },
  }),
};

export const keygenSecrets: Command = {
  words: ['keygen', 'secrets'],
  summary: 'print a key folder as Secret manifests',
  help: `kubectl symphony keygen secrets FOLDER -n NAMESPACE | kubectl apply -f -

FOLDER is a master's or an enterprise's. The output holds private keys: pipe it, don't store it.

  -n, --namespace NS    namespace of the Secrets`,
  options: { namespace: { type: 'string', short: 'n' } },
  run: async (invocation) => {
    const [folder] = invocation.positionals;
    if (!folder) throw new CliError('Usage', 'Which folder? kubectl symphony keygen secrets FOLDER -n NAMESPACE.');
    const { kind, name } = await readPublic(folder);
    const layout = layouts[kind]?.(name);
    if (!layout)
      throw new CliError('KeyFolderKind', `${folder} belongs to a ${kind}; only masters and enterprises have Secrets in a cluster.`);
    for (const [secret, { files, optional }] of Object.entries(layout)) {
      const data = await contents(folder, files, optional ?? false);
      if (data)
        invocation.out(
          `---\n${stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace: invocation.required('namespace') }, type: 'Opaque', data }).trimEnd()}`,
        );
    }
  },
};

const contents = async (folder: string, files: readonly string[], optional: boolean): Promise<Record<string, string> | undefined> => {
  try {
    return Object.fromEntries(
      await Promise.all(
        files.map(async (file): Promise<[string, string]> => [
          file,
          Buffer.from(await readText(join(folder, file), 'a key file')).toString('base64'),
        ]),
      ),
    );
  } catch (cause) {
    if (optional && cause instanceof CliError && cause.code === 'FileMissing') return undefined;
    throw cause;
  }
};
