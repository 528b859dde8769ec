/** Why the Vault does not do what it was asked: a stable PascalCase code and a sentence. Never says anything of a subject (B4). */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}
export const refusal = (code: string, message: string): Refusal => ({ code, message });
