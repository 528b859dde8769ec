/** YAML that people write. */
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { CliError } from './errors.ts';

/** Throws CliError with `code` when the text is not one YAML document. Duplicate keys and alias bombs are refused. */
export const parseYaml = (text: string, file: string, code: string): unknown => {
  const document = parseDocument(text);
  const problem = document.errors[0]?.message;
  if (problem) throw new CliError(code, `${file} is not YAML: ${problem}`);
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    if (cause instanceof ReferenceError) throw new CliError(code, `${file} is not YAML: ${cause.message}`);
    throw cause;
  }
};

/** Throws CliError with `code` that names each field at fault. */
export const checked = <S extends z.ZodType>(schema: S, value: unknown, what: string, code: string): z.infer<S> => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new CliError(code, `${what} is not valid:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
};
