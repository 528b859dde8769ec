import type { ImageSpec } from './images.ts';

/** What images need beside their bundle for the native libraries we use. Spread into an `ImageSpec`. */
type Parts = Pick<ImageSpec, 'packages' | 'files' | 'environment'>;

/** DuckDB: `@duckdb/node-api` itself is bundled. */
export const duckdbParts: Parts = { packages: [`@duckdb/node-bindings-linux-${process.arch}`] };

const moveArchitecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const moveLibrary = (name: string): { path: string; source: string } => ({
  path: `/app/library/${name}.${moveArchitecture}.so`,
  source: `node_modules/@initia/builder.js/library/${name}.${moveArchitecture}.so`,
});

/** The Move VM and compiler, called through koffi: development and tests only, by their licence. */
export const moveParts: Parts = {
  packages: [
    { name: 'koffi', only: /^(index\.c?js|src\/koffi\/.*\.c?js)$/ },
    { name: `@koromix/koffi-linux-${process.arch}`, only: /^(index\.js|linux_\w+\/koffi\.node)$/ },
  ],
  files: [moveLibrary('libmovevm'), moveLibrary('libcompiler')],
  environment: { SCS_MOVE_LIBRARY_DIR: '/app/library' },
};
