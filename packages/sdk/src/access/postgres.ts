import { requirePlain } from './plain-value.js';
import { known, textIn, type AccessOf, type PostgresLogin, type ToolVariables } from './tool-access.js';

/** Variables that would override the given login (libpq, "Environment Variables"). */
const WITHHELD = new Set([
  'DATABASE_URL',
  'PGDATABASE',
  'PGHOST',
  'PGHOSTADDR',
  'PGPASSFILE',
  'PGPASSWORD',
  'PGPORT',
  'PGSERVICE',
  'PGSERVICEFILE',
  'PGUSER',
]);

/** Converts a secret of `postgres`. */
export const accessOfPostgres: AccessOf = (secret) => {
  const [username, password] = [textIn(secret, 'username'), textIn(secret, 'password')];
  if (username === undefined || password === undefined) return undefined;
  const sslmode = textIn(secret, 'sslmode') ?? sslmodeIn(textIn(secret, 'url') ?? '');
  const places = { host: textIn(secret, 'host'), port: textIn(secret, 'port'), database: textIn(secret, 'database') };
  const sslrootcert = textIn(secret, 'sslrootcert');
  return { family: 'postgres', login: { ...known({ ...places, sslmode, sslrootcert }), username, password } };
};

/** Paths of the files that variables name. */
export interface LoginFiles {
  /** the password file; a renewed password can replace it */
  readonly passwords: string;
  /** the authority's certificate, if the login has one */
  readonly authority?: string;
}

/** Returns libpq's variables for one login. The password is in a file, never in a variable. */
export function postgresVariables(login: PostgresLogin, files: LoginFiles): ToolVariables {
  const replaced = known({ PGSSLMODE: login.sslmode, PGSSLROOTCERT: files.authority });
  return {
    withholds: (name) => WITHHELD.has(name) || name in replaced,
    set: known({
      PGHOST: login.host,
      PGPORT: login.port,
      PGDATABASE: login.database,
      PGUSER: login.username,
      ...replaced,
      PGPASSFILE: files.passwords,
    }),
  };
}

/**
 * Returns one line of a password file; an unknown host, port or database becomes `*` (libpq, "The Password File").
 * Throws `UnusableCredential` for a value with a control character.
 */
export function passwordLine({ host, port, database, username, password }: PostgresLogin): string {
  const fields = [host, port, database, username, password].map((field) =>
    field === undefined ? '*' : escaped(field),
  );
  return `${fields.join(':')}\n`;
}

function escaped(field: string): string {
  requirePlain('PGPASSFILE', field);
  return field.replace(/[\\:]/g, '\\$&');
}

function sslmodeIn(url: string): string | undefined {
  return /[?&]sslmode=([a-z-]+)/.exec(url)?.[1];
}
