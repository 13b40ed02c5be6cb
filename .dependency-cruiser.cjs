// The directions of the design: bin -> cli -> gateway -> transfer -> ports <- envelope, keys, store.
// Leaves are the files right under src/, but for the two that join the parts.
const LEAVES = '^src/(?!index[.]|compose[.])[^/]+[.]ts$';
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
      comment: 'src and bin use what an installation has.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/@types/' },
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
    only('transfer'),
    only('gateway', 'transfer'),
    {
      name: 'config-below-its-users',
      severity: 'error',
      from: { path: '^src/config/' },
      to: { path: '^src/(cli|gateway|transfer)/|^src/(index|compose)[.]ts$' },
    },
    {
      name: 'cli-by-ports',
      comment: 'Commands get envelopes, keys and stores from compose.ts.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/(envelope|keys|store)/|^src/index[.]ts$' },
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
