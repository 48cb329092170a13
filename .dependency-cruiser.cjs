// "Rooms and arrows" of the house style, as data; the rules below are generated from it. There are no exceptions.

/** A room imports rooms of a lower tier only; never one of its own tier. */
const TIERS = [
  ['kernel', 'egress'],
  ['identity', 'policy', 'templates', 'audit', 'trust'],
  ['tasks', 'credentials'],
  ['issuance', 'revocation', 'declarations', 'enforcement', 'evidence'],
  ['postgres'],
  ['persistence', 'providers/[^/]+', 'http', 'telemetry', 'queue', 'fetch', 'embedded', 'epoch'],
  ['service'],
];

/** The first tier that may know a framework, a database or a network library. */
const EDGE_TIER = 4;

/** Files that speak PostgreSQL: the adapters, and the demo, which connects as an agent would. */
const SPEAK_POSTGRES = [
  '^libs/postgres/',
  '^libs/persistence/',
  '^libs/providers/postgres/',
  '^libs/(embedded|queue)/',
  '^apps/[^/]+/src/demo',
];

const EDGE_PACKAGES = [
  '@nestjs',
  '@fastify',
  'fastify',
  'pg',
  '@aws-sdk',
  'node-vault',
  'commander',
  'ioredis',
  'bullmq',
  'pino',
  'prom-client',
];
const EDGE_NODE_MODULES = ['http', 'https', 'http2', 'dgram', 'child_process', 'cluster', 'worker_threads'];

const ROOM = '(providers/[^/]+|[^/]+)';
const ENTRANCE = `^libs/${ROOM}/src/index\\.ts$`;
const PACKAGE_ENTRANCE = '^packages/[^/]+/src/index\\.ts$';
const TESTS = ['\\.(spec|fixture)\\.ts$', '^test/', '^libs/testing/'];

const rooms = (tiers) => `^libs/(${tiers.flat().join('|')})/`;
const packages = (names) => `(^|/)node_modules/(@types/)?(${names.join('|')})/`;

const lowerTierOnly = TIERS.map((tier, level) => ({
  name: `tier-${level}-imports-lower-tiers-only`,
  severity: 'error',
  from: { path: rooms([tier]) },
  to: { path: rooms(TIERS.slice(level)), pathNot: '^libs/$1/' },
}));

/** Packages for whoever calls the broker, and what of ours each may import: programs without the broker are made of them. */
const PACKAGES = { client: [], sdk: ['client'] };

const packageRules = Object.entries(PACKAGES).map(([name, imported]) => ({
  name: `package-${name}-imports-${imported.join('-') || 'nothing'}-of-ours`,
  severity: 'error',
  from: { path: `^packages/${name}/` },
  to: { path: '^(apps|libs|packages|test|tools)/', pathNot: [name, ...imported].map((one) => `^packages/${one}/`) },
}));

const rules = [
  ...lowerTierOnly,
  ...packageRules,
  {
    name: 'every-package-has-its-arrows',
    severity: 'error',
    from: { path: '^packages/', pathNot: `^packages/(${Object.keys(PACKAGES).join('|')})/` },
    to: {},
  },
  {
    // kernel: declarations are read into its types and its `Problem`
    name: 'the-command-line-imports-packages-and-declarations-only',
    severity: 'error',
    from: { path: '^apps/cli/' },
    to: { path: '^(libs|packages|test|tools)/', pathNot: ['^packages/(client|sdk)/', '^libs/(declarations|kernel)/'] },
  },
  {
    name: 'the-broker-does-not-call-itself',
    severity: 'error',
    from: { path: '^(apps/broker|libs)/' },
    to: { path: '^packages/' },
  },
  {
    name: 'a-package-is-entered-by-its-index',
    severity: 'error',
    from: { path: '^packages/([^/]+)/' },
    to: { path: '^packages/', pathNot: ['^packages/$1/', PACKAGE_ENTRANCE] },
  },
  {
    name: 'a-package-is-entered-by-its-index-from-outside',
    severity: 'error',
    from: { pathNot: '^packages/' },
    to: { path: '^packages/', pathNot: PACKAGE_ENTRANCE },
  },
  {
    name: 'a-package-is-entered-by-its-alias',
    severity: 'error',
    from: { path: '^packages/([^/]+)/' },
    to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypesNot: ['aliased'] },
  },
  {
    name: 'a-package-is-entered-by-its-alias-from-outside',
    severity: 'error',
    from: { pathNot: '^packages/' },
    to: { path: '^packages/', dependencyTypesNot: ['aliased'] },
  },
  {
    name: 'every-room-has-a-tier',
    severity: 'error',
    from: { path: '^libs/', pathNot: [rooms(TIERS), '^libs/testing/'] },
    to: {},
  },
  {
    name: 'a-room-is-entered-by-its-index',
    severity: 'error',
    from: { path: `^libs/${ROOM}/` },
    to: { path: '^libs/', pathNot: ['^libs/$1/', ENTRANCE] },
  },
  {
    name: 'a-room-is-entered-by-its-index-from-outside',
    severity: 'error',
    from: { pathNot: '^libs/' },
    to: { path: '^libs/', pathNot: ENTRANCE },
  },
  {
    name: 'a-room-is-entered-by-its-alias',
    severity: 'error',
    from: { path: `^libs/${ROOM}/` },
    to: { path: '^libs/', pathNot: '^libs/$1/', dependencyTypesNot: ['aliased'] },
  },
  {
    name: 'a-room-is-entered-by-its-alias-from-outside',
    severity: 'error',
    from: { pathNot: '^libs/' },
    to: { path: '^libs/', dependencyTypesNot: ['aliased'] },
  },
  {
    name: 'inner-tiers-know-no-framework',
    severity: 'error',
    from: { path: rooms(TIERS.slice(0, EDGE_TIER)), pathNot: TESTS },
    to: { path: packages(EDGE_PACKAGES) },
  },
  {
    name: 'inner-tiers-open-no-connection',
    severity: 'error',
    from: { path: rooms(TIERS.slice(0, EDGE_TIER)), pathNot: TESTS },
    to: { dependencyTypes: ['core'], path: `^(node:)?(${EDGE_NODE_MODULES.join('|')})$` },
  },
  {
    name: 'postgres-is-spoken-by-its-adapters-only',
    severity: 'error',
    from: { path: '^(apps|libs)/', pathNot: [...SPEAK_POSTGRES, ...TESTS] },
    to: { path: packages(['pg']) },
  },
  {
    // no room of tier 5 or lower can import them either: `service` alone assembles them
    name: 'apps-know-the-service-not-its-adapters',
    severity: 'error',
    from: { path: '^apps/' },
    to: { path: rooms(['persistence', 'providers/[^/]+', 'queue', 'fetch', 'epoch']) },
  },
  {
    name: 'testing-is-for-tests',
    severity: 'error',
    from: { path: '^(apps|libs)/', pathNot: TESTS },
    to: { path: '^(libs/testing|test)/' },
  },
  {
    name: 'apps-are-the-only-composition-roots',
    severity: 'error',
    from: { path: '^libs/', pathNot: '^libs/testing/' },
    to: { path: '^apps/' },
  },
  {
    name: 'apps-do-not-import-each-other',
    severity: 'error',
    from: { path: '^apps/([^/]+)/' },
    to: { path: '^apps/', pathNot: '^apps/$1/' },
  },
  {
    name: 'no-source-imports-a-test',
    severity: 'error',
    from: {},
    to: { path: '\\.spec\\.ts$' },
  },
  {
    name: 'no-development-package-at-run-time',
    severity: 'error',
    from: { path: '^(apps|libs|packages)/', pathNot: TESTS },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '(^|/)node_modules/@types/' },
  },
  {
    name: 'every-package-is-declared',
    severity: 'error',
    from: {},
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  { name: 'every-import-resolves', severity: 'error', from: {}, to: { couldNotResolve: true } },
  { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: '\\.d\\.ts$' }, to: {} },
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: rules,
  options: {
    exclude: { path: ['^dist/'] },
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
