/** `keygen secrets`: a key folder as Secret manifests, to pipe into kubectl apply. Nothing else ever carries a private key to a cluster. */
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Command } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { readPublic, readText } from '../keys/key-folder.ts';

interface SecretLayout {
  readonly name: string;
  readonly files: readonly string[];
  /** Left out when the folder lacks its files. */
  readonly optional?: boolean;
}
/** Which files go into which Secret, by kind of identity. */
const layouts: Readonly<Record<string, (name: string) => readonly SecretLayout[]>> = {
  master: (name) => {
    const counter = name.replace('master', 'counter');
    return [
      { name: `scs-${name}-keys`, files: ['durable.key', 'gas.key', 'tls.crt', 'tls.key'] },
      { name: `scs-${counter}`, files: ['counter.crt', 'counter.key'], optional: true },
      { name: `scs-${counter}-chip`, files: ['chip.json'], optional: true },
    ];
  },
  enterprise: () => [
    { name: 'scs-agent-keys', files: ['actor.key'] },
    { name: 'scs-tls', files: ['tls.crt', 'tls.key'] },
    { name: 'scs-chip', files: ['chip.json'], optional: true },
  ],
};

export const keygenSecrets: Command = {
  words: ['keygen', 'secrets'],
  summary: 'print a key folder as Secret manifests',
  help: `kubectl symphony keygen secrets FOLDER -n NAMESPACE | kubectl apply -f -

FOLDER is a master's or an enterprise's. The output holds private keys: pipe it, don't store it.

  -n, --namespace NS    namespace of the Secrets`,
  options: { namespace: { type: 'string', short: 'n' } },
  arguments: 1,
  run: async (invocation) => {
    const [folder] = invocation.positionals;
    if (!folder) throw new UsageError('Which folder? kubectl symphony keygen secrets FOLDER -n NAMESPACE.');
    const namespace = invocation.required('namespace');
    const { kind, name } = await readPublic(folder);
    const layout = layouts[kind]?.(name);
    if (!layout)
      throw new CliError('KeyFolderKind', `${folder} belongs to a ${kind}; only masters and enterprises have Secrets in a cluster.`);
    const found = await Promise.all(layout.map(async (secret) => ({ ...secret, data: await contents(folder, secret) })));
    for (const secret of found)
      if (secret.data)
        invocation.out(
          `---\n${stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secret.name, namespace }, type: 'Opaque', data: secret.data }).trimEnd()}`,
        );
  },
};

/** All files are read before anything is printed: half a Secret would be applied as if it were whole. */
const contents = async (folder: string, { files, optional }: SecretLayout): Promise<Record<string, string> | undefined> => {
  const read = async (file: string): Promise<[string, string]> => {
    const text = await readText(join(folder, file), 'a key file');
    return [file, Buffer.from(text).toString('base64')];
  };
  try {
    return Object.fromEntries(await Promise.all(files.map(read)));
  } catch (cause) {
    if (optional && cause instanceof CliError && cause.code === 'FileMissing') return undefined;
    throw cause;
  }
};
