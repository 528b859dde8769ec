/**
 * Who may import whom (docs/engineering.md has the table). The rules of the protocol stay pure, the two trust domains apart, and
 * what is licensed for development stays out of what we ship.
 */
const { Visitor } = require('@swc/core/Visitor.js');

// swc parses for dependency-cruiser, as TypeScript 7 has no JavaScript API; its visitor doesn't know `using` yet.
const original = Reflect.get(Visitor.prototype, 'visitStatement');
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return Reflect.apply(original, this, [statement]);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

const tests = '(\\.test\\.ts$|/testing/|^test/|^contracts/devnet/bench\\.ts$)';
const programs = 'operator|vault|enclave-sidecar|executor|cli';
const pure = { path: '^protocol/src/', pathNot: tests };
/** Where the protocol may use node:crypto (docs/adr/0002): hashing, signatures, certificates, keyed noise. */
const cryptography = '^protocol/src/(encoding/hash|keys|snp-chain|attestation-check|mechanisms/draw)\\.ts$';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', comment: 'An import that leads nowhere.', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'protocol-is-pure',
      comment: 'protocol/ imports itself, zod and @mysten/bcs: no clock, no files, no network (rule X2).',
      severity: 'error',
      from: pure,
      to: { pathNot: '^(protocol/src/|node_modules/(zod|@mysten/bcs)/)', dependencyTypesNot: ['core'] },
    },
    {
      name: 'protocol-uses-no-node',
      comment: 'Of Node, protocol/ uses node:crypto alone, in the files named in docs/adr/0002.',
      severity: 'error',
      from: { path: '^protocol/src/', pathNot: `${tests}|${cryptography}` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'protocol-uses-only-crypto-of-node',
      severity: 'error',
      from: { path: cryptography },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'protocol-imports-no-workspace',
      severity: 'error',
      from: { path: '^protocol/' },
      to: { path: `^(proto|${programs}|contracts|charts|test)/` },
    },
    {
      name: 'proto-imports-protocol-only',
      comment: 'docs/adr/0005',
      severity: 'error',
      from: { path: '^proto/' },
      to: { path: `^(${programs}|contracts|charts|test)/` },
    },
    {
      name: 'programs-share-protocol-and-proto-only',
      severity: 'error',
      from: { path: `^(${programs})/` },
      to: { path: `^(${programs}|contracts|charts|test)/`, pathNot: '^$1/' },
    },
    {
      name: 'contracts-stand-alone',
      severity: 'error',
      from: { path: '^contracts/', pathNot: '\\.test\\.ts$' },
      to: { path: `^(proto|${programs}|charts|test)/` },
    },
    {
      name: 'two-trust-domains',
      comment: 'The masters’ code and the agent’s share operator/src/kube only (rule N10).',
      severity: 'error',
      from: { path: '^operator/src/(master|agent)/' },
      to: { path: '^operator/src/(master|agent)/', pathNot: '^operator/src/$1/' },
    },
    {
      name: 'kube-knows-nobody',
      severity: 'error',
      from: { path: '^operator/src/kube/', pathNot: tests },
      to: { path: '^operator/src/(master|agent)/' },
    },
    {
      name: 'no-tests-in-programs',
      comment: 'What ships imports no test and no test builder.',
      severity: 'error',
      from: { path: `^(protocol|proto|${programs}|contracts)/`, pathNot: tests },
      to: { path: '(\\.test\\.ts$|/testing/|^test/)' },
    },
    {
      name: 'development-only-licences',
      comment: 'BUSL packages (Move compiler and VM, and their loader) are for contracts/ and test/ only: they are in no production image.',
      severity: 'error',
      from: { pathNot: '^(contracts|test)/' },
      to: { path: '^node_modules/(@initia/|koffi)' },
    },
    {
      name: 'declared',
      comment: 'A package must be in the package.json of the workspace that imports it, or of the root.',
      severity: 'error',
      from: { pathNot: tests },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-development-packages-in-programs',
      severity: 'error',
      from: { path: `^(protocol|proto|${programs})/src/`, pathNot: tests },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(build|node_modules/@types)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
