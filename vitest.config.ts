import { defineConfig } from 'vitest/config';

/** One project a kind of test, so that `make` can run them apart and count them together. */
const project = (name: string, include: string[], timeoutMs: number, parallel = true) => ({
  test: {
    name,
    include,
    exclude: ['**/node_modules/**'],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism: parallel,
    pool: 'forks' as const,
  },
});

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        ['{protocol,proto,operator,vault,enclave-sidecar,executor,cli,test/cluster,test/simulation,charts}/**/*.test.ts'],
        60_000,
      ),
      project('contracts', ['contracts/**/*.test.ts'], 120_000),
      project('integration', ['test/integration/**/*.test.ts'], 180_000, false),
      project('e2e', ['test/e2e/**/*.test.ts'], 900_000, false),
    ],
  },
});
