import { resolve } from 'node:path';
import { suggestKey } from '@mayfly/declarations';
import { AllowList, InvalidAllowList } from '@mayfly/egress';
import { Problem } from '@mayfly/kernel';
import { z } from 'zod';

const flag = (fallback: 'on' | 'off') =>
  z
    .enum(['on', 'off'])
    .default(fallback)
    .transform((value) => value === 'on');

/** Outside production an issuer may be on this very machine. */
const OWN_MACHINE = 'http://localhost, http://127.0.0.1, http://[::1]';

const egressAllow = z.string().superRefine((text, context) => {
  try {
    AllowList.read(text);
  } catch (error) {
    if (!(error instanceof InvalidAllowList)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/** node-postgres would take an unknown `sslmode` for one that it knows. */
const databaseUrl = z
  .url({ protocol: /^postgres(ql)?$/ })
  .refine((url) => [...url.matchAll(/[?&]sslmode=([^&#]*)/g)].every(([, mode = '']) => SSL_MODES.includes(mode)), {
    error: `use one of ${SSL_MODES.join(', ')} as its sslmode`,
  });

/** The issuer of tokens, whose metadata are found below it: RFC 8414 §2 allows no query and no fragment. */
const publicUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/[?#]/.test(url), { error: 'leave out the query and the fragment' })
  .refine((url) => !/^\w+:\/\/[^/?#]*@/.test(url), { error: 'leave out the user and the password' })
  // Paths follow it, and RFC 8414 §3 forms them without a second slash.
  .transform((url) => url.replace(/\/+$/, ''));

/** What the service reads from its environment: the one place that does (docs/configuration.md). */
const EnvironmentSchema = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8420),
  DATABASE_URL: databaseUrl.optional(),
  MAYFLY_MIGRATION_URL: databaseUrl.optional(),
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
  MAYFLY_DATA_DIR: z.string().min(1).default('.mayfly'),
  MAYFLY_CONFIG_DIR: z.string().min(1).optional(),
  MAYFLY_SECRETS_DIR: z.string().min(1).optional(),
  MAYFLY_BOOTSTRAP_ISSUER: z.string().min(1).optional(),
  MAYFLY_PUBLIC_URL: publicUrl.optional(),
  MAYFLY_SEALING_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'use 64 hexadecimal digits (32 bytes)')
    .optional(),
  MAYFLY_EGRESS_ALLOW: egressAllow.default(''),
  MAYFLY_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  MAYFLY_API: flag('on'),
  MAYFLY_WORKER: flag('on'),
  MAYFLY_QUEUE: flag('on'),
  MAYFLY_DOCS: flag('on'),
  MAYFLY_FAILPOINT: z.string().optional(),
});

/** The settings of the broker, frozen. `undefined` members were not given. */
export interface BrokerConfig {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string | undefined;
  readonly migrationUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly dataDir: string;
  /** YAML files to apply at start; never in production */
  readonly configDir: string | undefined;
  /** the only directory that `file:` references may lead into */
  readonly secretsDir: string | undefined;
  /** the file of issuers that speak for people, applied at start in every mode */
  readonly bootstrapIssuer: string | undefined;
  /** without a slash at the end */
  readonly publicUrl: string | undefined;
  readonly sealingKey: string | undefined;
  /** where issuers may be although it is not on the public internet */
  readonly egressAllow: AllowList;
  readonly logLevel: string;
  /** serves requests; without it, health and metrics only */
  readonly api: boolean;
  /** takes back at deadlines, and does what else is due in the background */
  readonly worker: boolean;
  readonly queue: boolean;
  readonly docs: boolean;
  /** stop with SIGKILL after this step of the path; for crash tests, never in production */
  readonly failpoint: string | undefined;
}

/** The environment of the process: declared secrets refer to its variables too (`env:NAME`). */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** The names of all variables that the service reads for itself. */
export const settings: ReadonlySet<string> = new Set(Object.keys(EnvironmentSchema.shape));

/** Whether a variable is one that the service reads for itself, now or in a later version; secrets may not refer to it. */
export function isOwnVariable(name: string): boolean {
  // Some systems do not tell upper from lower case.
  const upper = name.toUpperCase();
  return upper.startsWith('MAYFLY_') || settings.has(upper);
}

/** Parses the environment once. Throws `invalid_declaration` naming the variables that are wrong, never their values. */
export function readConfig(variables = environment): BrokerConfig {
  const data = parseEnvironment(variables);
  const production = data.NODE_ENV === 'production';
  if (production) refuseForProduction(data);
  refuseInAnyMode(data);
  return Object.freeze({
    production,
    host: data.HOST,
    port: data.PORT,
    databaseUrl: data.DATABASE_URL,
    migrationUrl: data.MAYFLY_MIGRATION_URL,
    redisUrl: data.REDIS_URL,
    dataDir: resolve(data.MAYFLY_DATA_DIR),
    configDir: production ? undefined : configDirOf(data),
    secretsDir: data.MAYFLY_SECRETS_DIR && resolve(data.MAYFLY_SECRETS_DIR),
    bootstrapIssuer: data.MAYFLY_BOOTSTRAP_ISSUER && resolve(data.MAYFLY_BOOTSTRAP_ISSUER),
    publicUrl: data.MAYFLY_PUBLIC_URL,
    sealingKey: data.MAYFLY_SEALING_KEY,
    egressAllow: AllowList.read(production ? data.MAYFLY_EGRESS_ALLOW : `${data.MAYFLY_EGRESS_ALLOW},${OWN_MACHINE}`),
    logLevel: data.MAYFLY_LOG_LEVEL,
    api: data.MAYFLY_API,
    worker: data.MAYFLY_WORKER,
    queue: data.MAYFLY_QUEUE,
    docs: data.MAYFLY_DOCS,
    failpoint: data.MAYFLY_FAILPOINT,
  });
}

function refuseInAnyMode(data: Environment): void {
  // The issuer of tokens must be the same whichever replica grants, and every process on one database is a replica.
  if (data.MAYFLY_API && data.DATABASE_URL !== undefined && data.MAYFLY_PUBLIC_URL === undefined)
    throw new Problem(
      'invalid_declaration',
      'with DATABASE_URL, set MAYFLY_PUBLIC_URL to the address by which callers reach the service: it is the issuer of tokens, the same for all replicas',
    );
  if (!data.MAYFLY_API && !data.MAYFLY_WORKER)
    throw new Problem('invalid_declaration', 'with MAYFLY_API and MAYFLY_WORKER both off there is nothing to do');
}

function parseEnvironment(variables: typeof environment): Environment {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = EnvironmentSchema.safeParse(given);
  const misspelt = misspeltSettings(given);
  if (parsed.success && misspelt.length === 0) return parsed.data;
  const wrong = parsed.error?.issues.map(({ path, message }) => `${path.join('.')} (${message})`) ?? [];
  const guesses = misspelt.map(({ name, meant }) => `${name} (no such setting, use ${meant})`);
  throw new Problem('invalid_declaration', `the environment is wrong at ${[...wrong, ...guesses].join('; ')}`);
}

/** What the command line reads, and what a Kubernetes Service called `mayfly` puts into the environment of every pod. */
const OF_OTHERS =
  /^MAYFLY_(URL|TOKEN|TOKEN_FILE|ALLOW_HTTP|TASK_ID|([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+))$/;

interface Guess {
  readonly name: string;
  readonly meant: string;
}

/** Variables that begin like ours, are none of ours, and are near one: two letters off, or with `MAYFLY_` before a plain name. */
function misspeltSettings(given: Readonly<Record<string, string | undefined>>): readonly Guess[] {
  return Object.keys(given).flatMap((name) => {
    if (!name.startsWith('MAYFLY_') || settings.has(name) || OF_OTHERS.test(name)) return [];
    // Kubernetes again: MAYFLY_PORT=tcp://…
    if (given[name]?.startsWith('tcp://')) return [];
    const plain = name.slice('MAYFLY_'.length);
    const meant = settings.has(plain) ? plain : suggestKey(EnvironmentSchema, [], name);
    return meant === undefined ? [] : [{ name, meant }];
  });
}

type Environment = z.infer<typeof EnvironmentSchema>;

/** Files are applied outside production: the starter files in the embedded default, a folder that was named otherwise. */
function configDirOf(data: Environment): string | undefined {
  if (data.MAYFLY_CONFIG_DIR !== undefined) return resolve(data.MAYFLY_CONFIG_DIR);
  return data.DATABASE_URL === undefined ? resolve('config') : undefined;
}

function refuseForProduction(data: Environment): void {
  const missing = (['DATABASE_URL', 'MAYFLY_SEALING_KEY', 'MAYFLY_PUBLIC_URL', 'MAYFLY_SECRETS_DIR'] as const).filter(
    (name) => data[name] === undefined,
  );
  if (missing.length > 0) throw new Problem('invalid_declaration', `production needs ${missing.join(', ')}`);
  if (data.MAYFLY_FAILPOINT !== undefined)
    throw new Problem('invalid_declaration', 'production refuses MAYFLY_FAILPOINT: leave it out');
  if (data.MAYFLY_CONFIG_DIR !== undefined)
    throw new Problem(
      'invalid_declaration',
      'production refuses MAYFLY_CONFIG_DIR: leave it out and declare over the API, with `mayfly apply`',
    );
}
