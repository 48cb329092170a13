// The house style as rules: types, sizes, and what a room may not touch. Arrows between rooms: .dependency-cruiser.cjs.
import js from '@eslint/js';
import { builtinRules } from 'eslint/use-at-your-own-risk';
import tseslint from 'typescript-eslint';

const SPECS = ['**/*.spec.ts', 'test/**/*.ts', 'libs/testing/**/*.ts'];
const CONFIG_FILES = ['**/*config*.ts', ...SPECS];
// Programs that talk to a person at a terminal.
const TERMINAL = ['apps/*/src/{token,demo}*.ts', 'apps/*/src/demo/**/*.ts'];
const EDGE_ROOMS = ['libs/{postgres,persistence,embedded,http,queue,telemetry,fetch,testing}/**/*.ts', '**/*.spec.ts'];

/** `max-lines` under a second name: one budget warns, the other fails. */
const house = { rules: { 'aim-max-lines': builtinRules.get('max-lines') } };

const sizes = {
  'house/aim-max-lines': ['warn', { max: 300 }],
  'max-lines': ['error', { max: 400 }],
  'max-lines-per-function': ['error', { max: 50 }],
  'max-params': ['error', { max: 6 }],
  complexity: ['error', { max: 10 }],
};

const clock = 'ask the injected Clock, so that replicas agree and tests can set the time';

const session = 'open sessions by @mayfly/postgres, which states their settings and reads no PG* variable';
const SESSIONS = ['Pool', 'Client'].flatMap((name) => [
  { selector: `NewExpression[callee.name="${name}"]`, message: session },
  { selector: `NewExpression[callee.property.name="${name}"]`, message: session },
]);
// Prisma's adapter and BullMQ would make pools of their own out of a URL.
SESSIONS.push(
  { selector: 'NewExpression[callee.name="PrismaPg"][arguments.0.property.name!="pool"]', message: session },
  { selector: 'Property[key.name="connectionString"]', message: session },
);

export default tseslint.config(
  {
    ignores: ['dist/', 'coverage/', '.mayfly/', 'packages/client/src/{schema,answer-shapes}.ts'],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        ['console', 'crypto', 'fetch', 'module', 'performance', 'process', 'require', 'setTimeout', 'URL'].map(
          (name) => [name, 'readonly'],
        ),
      ),
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { house },
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['prisma.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      ...sizes,
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // Nest modules are classes that hold nothing but their decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // A method of a port is `async` so that it rejects where it would otherwise throw.
      '@typescript-eslint/require-await': 'off',
      // Nest's option types are classes that callers fill with literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.ts'],
    ignores: CONFIG_FILES,
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'read the parsed config; only a config file reads the environment',
        },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: ['process', 'node:process'].map((name) => ({ name, importNames: ['env'], message: 'use the config' })),
        },
      ],
    },
  },
  {
    files: ['{apps,libs,packages}/**/*.ts'],
    ignores: ['libs/postgres/**', ...SPECS],
    rules: { 'no-restricted-syntax': ['error', ...SESSIONS] },
  },
  {
    files: ['{libs,packages}/**/*.ts'],
    ignores: EDGE_ROOMS,
    rules: {
      // Of two configurations of one rule the later counts, so that the earlier is repeated here.
      'no-restricted-syntax': [
        'error',
        ...SESSIONS,
        { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: clock },
        { selector: 'CallExpression[callee.name="Date"]', message: clock },
        { selector: 'CallExpression[callee.object.name="Date"][callee.property.name="now"]', message: clock },
      ],
    },
  },
  {
    files: ['libs/**/*.ts'],
    // The filter turns the exceptions of the framework into problems.
    ignores: ['libs/http/src/problem.filter.spec.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@nestjs/*'], importNamePattern: 'Exception$', message: 'libs throw Problem' }] },
      ],
    },
  },
  {
    files: SPECS,
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: [...TERMINAL, ...SPECS], rules: { 'no-console': 'off' } },
);
