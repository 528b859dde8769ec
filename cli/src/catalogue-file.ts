/** A semantic catalogue that people write (rules S1, S2, S4): names that lead nowhere are found here, and not by the first task that uses them. */
import { Catalogue, catalogueProblem } from '@scs/protocol';
import { CliError } from './errors.ts';
import { checked, parseYaml } from './yaml-file.ts';

/** Throws CliError with `code` that says what is wrong with the file. */
export const readCatalogue = (text: string, file: string, code: string): Catalogue => {
  const catalogue = checked(Catalogue, parseYaml(text, file, code), file, code);
  const problem = catalogueProblem(catalogue);
  if (problem !== undefined) throw new CliError(code, `${file} is not sound: ${problem}.`);
  return catalogue;
};
