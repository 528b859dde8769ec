/** How a command reaches the masters' public ports: three addresses, and whose certificate opens the connection. */
import { join } from 'node:path';
import type { TlsFiles } from '@scs/proto/tls.ts';
import type { Invocation, Options } from './command.ts';
import { UsageError } from './errors.ts';
import { readText } from './keys/key-folder.ts';
import { keysOf, keysOptions } from './options.ts';

export const mastersOptions = { ...keysOptions, masters: { type: 'string' } } as const satisfies Options;
export const MASTERS_HELP = `  --keys FOLDER         key folder of a master or an enterprise: whose certificate opens the connection
  --masters ADDRESSES   public ports of the three masters, in the order of the genesis; kubectl port-forward makes them reachable`;

const addressesOf = (invocation: Invocation): readonly string[] => {
  const addresses = invocation.required('masters').split(',');
  if (addresses.length !== 3 || addresses.some((address) => !/^[a-zA-Z0-9.-]{1,253}:\d{1,5}$/.test(address)))
    throw new UsageError('--masters takes three addresses in the order of the genesis, such as a:7444,b:7444,c:7444.');
  return addresses;
};

/** Throws UsageError and CliError. */
export const wayToMasters = async (invocation: Invocation): Promise<{ readonly addresses: readonly string[]; readonly tls: TlsFiles }> => {
  const addresses = addressesOf(invocation);
  const keys = keysOf(invocation);
  const [certificatePem, keyPem] = await Promise.all([
    readText(join(keys, 'tls.crt'), 'a TLS certificate'),
    readText(join(keys, 'tls.key'), 'a TLS key'),
  ]);
  return { addresses, tls: { certificatePem, keyPem } };
};
