// The directions of the design: bin -> cli -> gateway -> transfer -> ports <- envelope, keys, store.
// Leaves are the files right under src/, but for those that join the parts.
const LEAVES = '^src/(?!index[.]|compose[.-]|key-source[.])[^/]+[.]ts$';
const IN_SRC = '^src/';

/** `folder` may import itself, the leaves and `others`, and nothing else of src/. */
const only = (folder, ...others) => ({
  name: `${folder}-only-to-${['leaves', ...others].join('-')}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: IN_SRC, pathNot: [LEAVES, `^src/${folder}/`, ...others.map((other) => `^src/${other}/`)] },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-development-packages',
      comment: 'src, lambda and bin use what an installation has; of CDK apps, the CDK is the user’s own.',
      severity: 'error',
      from: { path: '^(src|lambda|lib|bin)/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm-peer'],
        pathNot: 'node_modules/@types/',
      },
    },
    {
      name: 'lib-only-to-contract',
      comment: 'Infrastructure and functions agree on src/contract.ts and know nothing else of each other.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(src|lambda|bin)/', pathNot: '^src/contract[.]ts$' },
    },
    {
      name: 'cdk-in-lib-alone',
      severity: 'error',
      from: { path: '^(src|lambda)/' },
      to: { path: 'node_modules/(aws-cdk-lib|constructs)/' },
    },
    {
      name: 'lambda-only-to-src',
      severity: 'error',
      from: { path: '^lambda/' },
      to: { path: '^(lib|bin|test|bench|examples|scripts)/' },
    },
    {
      name: 'lambdas-apart',
      comment: 'What one function may do is no business of another.',
      severity: 'error',
      from: { path: '^lambda/([^/]+)/' },
      to: { path: '^lambda/', pathNot: '^lambda/$1/' },
    },
    {
      name: 'app-only-to-lib-config',
      severity: 'error',
      from: { path: '^bin/(app|deployment-[^/]+)[.]ts$' },
      to: { path: IN_SRC, pathNot: [LEAVES, '^src/config/'] },
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      from: { path: IN_SRC },
      to: { path: '^(bin|lib|lambda|test|bench|examples|scripts)/' },
    },
    {
      name: 'bin-only-to-cli-compose',
      severity: 'error',
      from: { path: '^bin/sealdrop[.]ts$' },
      to: { path: IN_SRC, pathNot: [LEAVES, '^src/cli/', '^src/compose[.]ts$'] },
    },
    {
      name: 'leaves-only-to-leaves',
      severity: 'error',
      from: { path: LEAVES },
      to: { path: IN_SRC, pathNot: LEAVES },
    },
    only('envelope'),
    only('keys'),
    only('store'),
    only('secrets'),
    only('aws'),
    only('transfer'),
    only('doctor'),
    only('gateway', 'transfer'),
    {
      name: 'config-below-its-users',
      severity: 'error',
      from: { path: '^src/config/' },
      to: { path: '^src/(cli|gateway|transfer)/|^src/(index|compose[^/]*)[.]ts$' },
    },
    {
      name: 'cli-by-ports',
      comment: 'Commands get envelopes, keys and stores from compose.ts.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/(aws|envelope|keys|store)/|^src/index[.]ts$' },
    },
    {
      name: 'wrapping-cannot-unwrap',
      comment: 'So that an encryptor can be built that cannot decrypt.',
      severity: 'error',
      from: { path: '^src/keys/[^/]+/wrap[.]ts$' },
      to: { path: '^src/keys/([^/]+/unwrap|private-[^/]+)[.]ts$', reachable: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types count: a part that needs another's types depends on it.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
