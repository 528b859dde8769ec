/** metav1.MicroTime: six fractional digits, which Events insist on. `ms` is civil time in milliseconds. */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');
