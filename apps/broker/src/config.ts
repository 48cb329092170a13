import { resolve } from 'node:path';
import { suggestKey } from '@mayfly/declarations';
import { AllowList, InvalidAllowList } from '@mayfly/egress';
import { Problem } from '@mayfly/kernel';
import { DECISION_POINT_KINDS } from '@mayfly/policy';
import { epochUrlFault, type ServiceSettings } from '@mayfly/service';
import { FAILPOINTS } from '@mayfly/tasks';
import { z } from 'zod';

const flag = (fallback: 'on' | 'off') =>
  z
    .enum(['on', 'off'])
    .default(fallback)
    .transform((value) => value === 'on');

/** Addresses that egress may also reach outside production, so that an issuer can run on the same machine. */
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

/** A PostgreSQL URL with a known `sslmode`: node-postgres would treat an unknown one as one that it knows. */
const databaseUrl = z
  .url({ protocol: /^postgres(ql)?$/ })
  .refine((url) => [...url.matchAll(/[?&]sslmode=([^&#]*)/g)].every(([, mode = '']) => SSL_MODES.includes(mode)), {
    error: `use one of ${SSL_MODES.join(', ')} as its sslmode`,
  });

/** The token issuer URL. Its metadata lie below it: RFC 8414 §2 allows no query and no fragment. */
const publicUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/[?#]/.test(url), { error: 'leave out the query and the fragment' })
  .refine((url) => !/^\w+:\/\/[^/?#]*@/.test(url), { error: 'leave out the user and the password' })
  // RFC 8414 §3 appends paths to it without a second slash.
  .transform((url) => url.replace(/\/+$/, ''));

/** A key, or the ciphertext of one that a transit engine made. */
const SEALING_KEY = /^([0-9a-f]{64}|vault:v\d{1,9}:[A-Za-z0-9+/]{40,}={0,2})$/;
const SEALING_KEY_FORM = 'use 64 hexadecimal digits (32 bytes), or a ciphertext of Vault';

/** Sealing keys, separated by commas. */
const previousSealingKeys = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== ''),
  )
  .refine((keys) => keys.every((key) => SEALING_KEY.test(key)), {
    error: `${SEALING_KEY_FORM}, for each key, and commas between keys`,
  });

/** A step of docs/issuance.md, and the number of arrivals there that kills the process: `open`, or `open:8`. */
const failpoint = z.string().transform((text, context) => {
  const [name, count = '1'] = text.split(':', 2);
  const step = FAILPOINTS.find((one) => one === name);
  if (step !== undefined && /^[1-9]\d*$/.test(count)) return { step, count: Number(count) };
  context.addIssue({ code: 'custom', message: 'use a failpoint of docs/issuance.md, such as `open` or `open:8`' });
  return z.NEVER;
});

/** The whole address at which decisions are asked for. Its user and password would end in logs. */
const decisionPointUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/^\w+:\/\/[^/?#]*@/.test(url), {
    error: 'leave out the user and the password; give a token with MAYFLY_DECISION_POINT_TOKEN_FILE',
  })
  .refine((url) => !url.includes('#'), { error: 'leave out the fragment' });

const epochUrl = z.string().superRefine((text, context) => {
  const fault = epochUrlFault(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

/** All environment variables that the broker reads (docs/configuration.md). No other file reads them. */
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
  MAYFLY_SEALING_KEY: z.string().regex(SEALING_KEY, SEALING_KEY_FORM).optional(),
  MAYFLY_SEALING_VAULT_FILE: z.string().min(1).optional(),
  MAYFLY_SEALING_KEY_PREVIOUS: previousSealingKeys.default([]),
  MAYFLY_EPOCH_URL: epochUrl.optional(),
  MAYFLY_EGRESS_ALLOW: egressAllow.default(''),
  MAYFLY_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  MAYFLY_API: flag('on'),
  MAYFLY_WORKER: flag('on'),
  MAYFLY_QUEUE: flag('on'),
  MAYFLY_DOCS: flag('on'),
  MAYFLY_LOCKDOWN_AGE_SECONDS: z.coerce.number().int().min(1).max(30).default(5),
  MAYFLY_CLOCK_TOLERANCE_SECONDS: z.coerce.number().int().min(1).max(60).default(5),
  MAYFLY_DECISION_POINT_URL: decisionPointUrl.optional(),
  MAYFLY_DECISION_POINT: z.enum(DECISION_POINT_KINDS).default('authzen'),
  MAYFLY_DECISION_POINT_TIMEOUT_MS: z.coerce.number().int().min(10).max(10_000).default(1_000),
  MAYFLY_DECISION_POINT_TOKEN_FILE: z.string().min(1).optional(),
  MAYFLY_FAILPOINT: failpoint.optional(),
});

/** The broker's settings, frozen: those of the service, and those of its HTTP side. */
export interface BrokerConfig extends ServiceSettings {
  readonly host: string;
  readonly port: number;
  /** without a trailing slash */
  readonly publicUrl: string | undefined;
  /** serves the API; off: health and metrics only */
  readonly api: boolean;
  readonly docs: boolean;
}

/** The settings that choose the routes of a process. */
export type RouteChoice = Pick<BrokerConfig, 'api' | 'docs'>;

/** The environment of the process. Declared secrets may refer to its variables (`env:NAME`). */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** The names of all variables that the broker reads as settings. */
export const settings: ReadonlySet<string> = new Set(Object.keys(EnvironmentSchema.shape));

/** True for a broker setting of this or a later version; secrets may not refer to it. */
export function isOwnVariable(name: string): boolean {
  // Variable names ignore case on some systems.
  const upper = name.toUpperCase();
  return upper.startsWith('MAYFLY_') || settings.has(upper);
}

/** Parses the environment. Throws `invalid_declaration` that names the wrong variables, never their values. */
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
    sealingVaultFile: data.MAYFLY_SEALING_VAULT_FILE && resolve(data.MAYFLY_SEALING_VAULT_FILE),
    previousSealingKeys: data.MAYFLY_SEALING_KEY_PREVIOUS,
    epochUrl: data.MAYFLY_EPOCH_URL,
    egressAllow: AllowList.read(production ? data.MAYFLY_EGRESS_ALLOW : `${data.MAYFLY_EGRESS_ALLOW},${OWN_MACHINE}`),
    logLevel: data.MAYFLY_LOG_LEVEL,
    api: data.MAYFLY_API,
    worker: data.MAYFLY_WORKER,
    queue: data.MAYFLY_QUEUE,
    docs: data.MAYFLY_DOCS,
    lockdownAgeSeconds: data.MAYFLY_LOCKDOWN_AGE_SECONDS,
    clockToleranceSeconds: data.MAYFLY_CLOCK_TOLERANCE_SECONDS,
    decisionPoint: decisionPointOf(data),
    failpoint: data.MAYFLY_FAILPOINT,
  });
}

function decisionPointOf(data: Environment): BrokerConfig['decisionPoint'] {
  const url = data.MAYFLY_DECISION_POINT_URL;
  if (url === undefined) return undefined;
  const tokenFile = data.MAYFLY_DECISION_POINT_TOKEN_FILE;
  return {
    ...{ url, kind: data.MAYFLY_DECISION_POINT, timeoutMs: data.MAYFLY_DECISION_POINT_TIMEOUT_MS },
    tokenFile: tokenFile === undefined ? undefined : resolve(tokenFile),
  };
}

function refuseInAnyMode(data: Environment): void {
  // All replicas need one token issuer, and every process on one database is a replica.
  if (data.MAYFLY_API && data.DATABASE_URL !== undefined && data.MAYFLY_PUBLIC_URL === undefined)
    throw new Problem(
      'invalid_declaration',
      'MAYFLY_PUBLIC_URL is not set: with DATABASE_URL, it is the issuer of tokens for all replicas; set it to the address by which callers reach the service',
    );
  const keys = [data.MAYFLY_SEALING_KEY ?? '', ...data.MAYFLY_SEALING_KEY_PREVIOUS];
  if (keys.some((key) => key.startsWith('vault:')) && data.MAYFLY_SEALING_VAULT_FILE === undefined)
    throw new Problem(
      'invalid_declaration',
      'MAYFLY_SEALING_VAULT_FILE is not set: a sealing key is wrapped by Vault; set it to the file that names the key there',
    );
  if (!data.MAYFLY_API && !data.MAYFLY_WORKER)
    throw new Problem('invalid_declaration', 'MAYFLY_API and MAYFLY_WORKER are both off; set one of them to on');
}

function parseEnvironment(variables: typeof environment): Environment {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = EnvironmentSchema.safeParse(given);
  const misspelt = misspeltSettings(given);
  if (parsed.success && misspelt.length === 0) return parsed.data;
  const wrong = parsed.error?.issues.map(({ path, message }) => `${path.join('.')} (${message})`) ?? [];
  const guesses = misspelt.map(({ name, meant }) => `${name} (no such setting, use ${meant})`);
  throw new Problem('invalid_declaration', `the environment is wrong; correct ${[...wrong, ...guesses].join('; ')}`);
}

/** Variables of the command line, and those that a Kubernetes Service called `mayfly` adds to every pod. */
const OF_OTHERS =
  /^MAYFLY_(URL|TOKEN|TOKEN_FILE|ALLOW_HTTP|TASK_ID|([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+))$/;

interface Guess {
  readonly name: string;
  readonly meant: string;
}

/** Finds misspelt settings: unknown `MAYFLY_` names up to two letters off, or a plain name with `MAYFLY_` before it. */
function misspeltSettings(given: Readonly<Record<string, string | undefined>>): readonly Guess[] {
  return Object.keys(given).flatMap((name) => {
    if (!name.startsWith('MAYFLY_') || settings.has(name) || OF_OTHERS.test(name)) return [];
    // Kubernetes sets MAYFLY_PORT=tcp://…
    if (given[name]?.startsWith('tcp://')) return [];
    const plain = name.slice('MAYFLY_'.length);
    const meant = settings.has(plain) ? plain : suggestKey(EnvironmentSchema, [], name);
    return meant === undefined ? [] : [{ name, meant }];
  });
}

type Environment = z.infer<typeof EnvironmentSchema>;

/** Returns the folder to apply outside production: the named one, or `config` in the embedded default. */
function configDirOf(data: Environment): string | undefined {
  if (data.MAYFLY_CONFIG_DIR !== undefined) return resolve(data.MAYFLY_CONFIG_DIR);
  return data.DATABASE_URL === undefined ? resolve('config') : undefined;
}

function refuseForProduction(data: Environment): void {
  const missing = (['DATABASE_URL', 'MAYFLY_SEALING_KEY', 'MAYFLY_PUBLIC_URL', 'MAYFLY_SECRETS_DIR'] as const).filter(
    (name) => data[name] === undefined,
  );
  if (missing.length > 0) throw new Problem('invalid_declaration', `production needs ${missing.join(', ')}; set each`);
  if (data.MAYFLY_FAILPOINT !== undefined)
    throw new Problem('invalid_declaration', 'production refuses MAYFLY_FAILPOINT: leave it out');
  if (data.MAYFLY_CONFIG_DIR !== undefined)
    throw new Problem(
      'invalid_declaration',
      'production refuses MAYFLY_CONFIG_DIR: leave it out and declare over the API, with `mayfly apply`',
    );
}
