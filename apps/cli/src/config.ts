import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { usageFailure } from './command-failure.js';

/** All environment variables that the command line reads (docs/cli.md). No other file reads them. */
const EnvironmentSchema = z.object({
  MAYFLY_URL: z.string().default('http://127.0.0.1:8420'),
  MAYFLY_ALLOW_HTTP: z.enum(['on', 'off']).default('off'),
  MAYFLY_TOKEN: z.string().optional(),
  MAYFLY_TOKEN_FILE: z.string().optional(),
  MAYFLY_ID_TOKEN: z.string().optional(),
  ACTIONS_ID_TOKEN_REQUEST_URL: z.url({ protocol: /^https?$/ }).optional(),
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: z.string().optional(),
  SPIFFE_JWT_SVID_FILE: z.string().optional(),
  XDG_RUNTIME_DIR: z.string().optional(),
  XDG_CACHE_HOME: z.string().optional(),
});

export type Variables = Readonly<Record<string, string | undefined>>;

/** Possible sources of the caller's identity token; docs/cli.md has their order. */
export interface IdentityPlaces {
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  /** set by GitLab's `id_tokens` keyword */
  readonly idToken: string | undefined;
  /** variables that GitHub Actions sets for jobs with `id-token: write` */
  readonly actions: { readonly url: string; readonly token: string } | undefined;
  /** path of a file that spiffe-helper renews */
  readonly spiffeFile: string | undefined;
}

export interface CliConfig {
  /** URL of the broker, without a trailing slash */
  readonly url: string;
  readonly identity: IdentityPlaces;
  /** parent directory for private files */
  readonly runtimeDir: string;
  /** directories for sessions of AWS profiles, best first: in memory, if the system has such a directory per user */
  readonly cacheDirs: readonly string[];
}

export interface GlobalOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** The environment of the process. Commands inherit it. */
export const environment: Variables = process.env;

/** Reads settings; options win over variables. Throws a usage failure that names a variable, never a value. */
export function readConfig(options: GlobalOptions = {}, variables = environment): CliConfig {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = EnvironmentSchema.safeParse(given);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.')} (${message})`).join('; ');
    throw usageFailure(`the environment is wrong; correct ${wrong}`);
  }
  const { data } = parsed;
  const [url, token] = [data.ACTIONS_ID_TOKEN_REQUEST_URL, data.ACTIONS_ID_TOKEN_REQUEST_TOKEN];
  return {
    url: brokerUrl(options.url ?? data.MAYFLY_URL, data.MAYFLY_ALLOW_HTTP === 'on'),
    ...directoriesOf(data),
    identity: {
      token: options.tokenFile === undefined ? data.MAYFLY_TOKEN : undefined,
      tokenFile: options.tokenFile ?? data.MAYFLY_TOKEN_FILE,
      idToken: data.MAYFLY_ID_TOKEN,
      actions: url === undefined || token === undefined ? undefined : { url, token },
      spiffeFile: data.SPIFFE_JWT_SVID_FILE,
    },
  };
}

function directoriesOf({ XDG_RUNTIME_DIR: runtime, XDG_CACHE_HOME: cache }: z.infer<typeof EnvironmentSchema>) {
  const parents = [absolute(runtime), absolute(cache) ?? join(homedir(), '.cache')];
  const cacheDirs = parents.flatMap((parent) => (parent === undefined ? [] : [join(parent, 'mayfly')]));
  return { runtimeDir: runtime ?? tmpdir(), cacheDirs };
}

/** XDG Base Directory Specification 0.8: a relative path in one of its variables is ignored. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/**
 * Checks the broker's URL. It carries tokens and secrets: http needs a loopback host or `allowHttp` (RFC 6750 §5.3).
 */
function brokerUrl(text: string, allowHttp: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '') {
    throw usageFailure(
      'the URL of the broker is wrong',
      'use `https://host` in MAYFLY_URL or --url, without user or query',
    );
  }
  if (url.protocol === 'http:' && !isLoopback(url) && !allowHttp) {
    throw usageFailure(
      'plain http over a network is refused',
      'use https in MAYFLY_URL, or set MAYFLY_ALLOW_HTTP=on if another layer encrypts',
    );
  }
  return url.href.replace(/\/+$/, '');
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
