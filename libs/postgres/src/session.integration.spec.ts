import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '@mayfly/testing';
import pg from 'pg';
import { type SessionOptions, STORE_SCHEMA } from './session-settings.js';
import { createClient, createPool, sessionConfig } from './session.js';

const SESSION: SessionOptions = {
  applicationName: 'mayfly',
  searchPath: STORE_SCHEMA,
  statementTimeoutMillis: 15_000,
  idleInTransactionMillis: 30_000,
};

/** Each setting: its name, the value that a session must have, and the value that its role or database sets. */
const SETTINGS: readonly (readonly [name: string, stated: string, hostile: string])[] = [
  ['TimeZone', 'UTC', 'America/New_York'],
  ['DateStyle', 'ISO, YMD', 'German, DMY'],
  ['IntervalStyle', 'postgres', 'sql_standard'],
  ['bytea_output', 'hex', 'escape'],
  ['extra_float_digits', '1', '-15'],
  ['quote_all_identifiers', 'off', 'on'],
  ['standard_conforming_strings', 'on', 'off'],
  ['array_nulls', 'on', 'off'],
  ['transform_null_equals', 'off', 'on'],
  ['default_transaction_isolation', 'read committed', 'serializable'],
  ['default_transaction_read_only', 'off', 'on'],
  ['default_transaction_deferrable', 'off', 'on'],
  ['row_security', 'on', 'off'],
  ['search_path', 'public,pg_temp', 'elsewhere'],
  ['statement_timeout', '15s', '20s'],
  ['lock_timeout', '0', '20s'],
  ['idle_in_transaction_session_timeout', '30s', '20s'],
  ['idle_session_timeout', '0', '20s'],
  ['exit_on_error', 'off', 'on'],
  ['client_min_messages', 'notice', 'error'],
  ['jit', 'off', 'on'],
  ['password_encryption', 'scram-sha-256', 'md5'],
];

/** node-postgres itself sends this setting. */
const ENCODING = ['client_encoding', 'UTF8', 'LATIN1'] as const;

/** The settings that the startup packet cannot carry to every version of the server. */
const AFTER_CONNECTING: typeof SETTINGS = [
  ['createrole_self_grant', '', 'set'],
  ['transaction_timeout', '0', '20s'],
  ['restrict_nonsystem_relation_kind', '', 'view'],
  ['synchronous_commit', 'on', 'off'],
];
const ALL = [ENCODING, ...SETTINGS, ...AFTER_CONNECTING];

let postgres: TestPostgres;
let database: TestDatabase;
let admin: pg.Client;

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = await postgres.createDatabase();
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

async function settingsOf(client: pg.ClientBase, names: readonly string[]): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    'SELECT name, current_setting(name) AS setting FROM unnest($1::text[]) AS name',
    [names],
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

async function onClient<T>(client: pg.Client, use: (client: pg.Client) => Promise<T>): Promise<T> {
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

const stated = (settings: typeof SETTINGS) => Object.fromEntries(settings.map(([name, value]) => [name, value]));
const names = (settings: typeof SETTINGS) => settings.map(([name]) => name);

describe.each([
  ['the database', () => `DATABASE ${database.name}`],
  ['the role', () => 'ROLE mayfly_app'],
  ['the role in the database', () => `ROLE mayfly_app IN DATABASE ${database.name}`],
])('settings of %s', (_, subject) => {
  beforeAll(async () => {
    for (const [name, , hostile] of ALL) await admin.query(`ALTER ${subject()} SET ${name} = '${hostile}'`);
    const plain = new pg.Client({ connectionString: database.url });
    const seen = await onClient(plain, (client) => settingsOf(client, names(ALL)));
    for (const [name, value] of ALL.slice(1)) expect([name, seen[name]]).not.toEqual([name, value]);
  });
  afterAll(() => admin.query(`ALTER ${subject()} RESET ALL`));

  it('settings do not change a client', async () => {
    const seen = await onClient(createClient(database.url, SESSION), (client) => settingsOf(client, names(ALL)));
    expect(seen).toEqual(stated(ALL));
  });

  it('settings do not change a client of a pool', async () => {
    const pool = createPool(database.url, SESSION, { max: 1 });
    const client = await pool.connect();
    expect(await settingsOf(client, names(ALL))).toEqual(stated(ALL));
    client.release();
    await pool.end();
  });

  it('settings that the startup packet can carry do not change a client of a library', async () => {
    const client = new pg.Client(sessionConfig(database.url, SESSION));
    expect(await onClient(client, (opened) => settingsOf(opened, names(SETTINGS)))).toEqual(stated(SETTINGS));
  });
});

it('a session works as the named role, with any name', async () => {
  const role = `odd 'role' \\ ${database.name.slice(-8)}`;
  const name = pg.escapeIdentifier(role);
  await admin.query(`CREATE ROLE ${name}; GRANT ${name} TO mayfly_app WITH INHERIT FALSE, SET TRUE`);
  const client = createClient(database.url, { ...SESSION, role });
  const { rows } = await onClient(client, (opened) => opened.query('SELECT current_user::text AS role'));
  await admin.query(`DROP ROLE ${name}`);
  expect(rows).toEqual([{ role }]);
});

it('a session keeps a commit that is stronger than the server asks for', async () => {
  await admin.query(`ALTER DATABASE ${database.name} SET synchronous_commit = 'remote_apply'`);
  const seen = await onClient(createClient(database.url, SESSION), (client) =>
    settingsOf(client, ['synchronous_commit']),
  );
  await admin.query(`ALTER DATABASE ${database.name} RESET ALL`);
  expect(seen).toEqual({ synchronous_commit: 'remote_apply' });
});

/** Settings that a role may change and that change speed, messages or features that no statement of ours uses. */
const LEFT_TO_OPERATORS = [
  /^(check_function_bodies|createrole_self_grant|default_(table_access_method|tablespace|toast_compression)|temp_tablespaces)$/,
  /^(gin_(fuzzy_search|pending_list)_limit|icu_validation_level|vacuum_.*|xml(binary|option))$/,
  /^(lc_(monetary|numeric|time)|default_text_search_config|timezone_abbreviations)$/i,
  // these are of one transaction, and start from their defaults
  /^transaction_(deferrable|isolation|read_only)$/,
  /^(local_preload_libraries|backslash_quote|escape_string_warning|synchronize_seqscans)$/,
];

it('a session states every client and compatibility setting except those listed here', async () => {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT name FROM pg_settings WHERE context = 'user'
       AND (category LIKE 'Client Connection Defaults%' OR category LIKE 'Version and Platform Compatibility%' OR category = 'Error Handling')`,
  );
  const said = new Set(names(ALL));
  const unsaid = rows.map(({ name }) => name).filter((name) => !said.has(name));
  expect(unsaid.filter((name) => !LEFT_TO_OPERATORS.some((pattern) => pattern.test(name)))).toEqual([]);
});

describe('the environment', () => {
  const kept = { ...process.env };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in kept)) Reflect.deleteProperty(process.env, name);
  });

  it.each([
    ['PGHOST', '203.0.113.1'],
    ['PGPORT', '1'],
    ['PGUSER', 'nobody'],
    ['PGDATABASE', 'nowhere'],
    ['PGPASSWORD', 'wrong'],
    ['PGOPTIONS', '-c TimeZone=America/New_York -c default_transaction_read_only=on'],
    ['PGSSLMODE', 'require'],
    ['PGSSLNEGOTIATION', 'direct'],
    ['PGAPPNAME', 'somebody'],
    ['PGREPLICATION', 'true'],
    ['PGCLIENT_ENCODING', 'LATIN1'],
    ['PGCONNECT_TIMEOUT', '1'],
    ['PGTZ', 'America/New_York'],
    ['PGDATESTYLE', 'German'],
    ['PGSERVICE', 'somewhere'],
  ])('the environment decides nothing: %s', async (name, value) => {
    process.env[name] = value;
    const seen = await onClient(createClient(database.url, SESSION), (client) =>
      settingsOf(client, [...names(ALL), 'application_name']),
    );
    expect(seen).toEqual({ ...stated(ALL), application_name: 'mayfly' });
  });

  it('the environment decides nothing about a URL that leaves all but the server out', () => {
    Object.assign(process.env, { PGHOST: 'a', PGPORT: '1', PGUSER: 'b', PGDATABASE: 'c', PGPASSWORD: 'd' });
    const client = createClient('postgresql://', SESSION);
    const { user } = client;
    expect(client).toMatchObject({ host: 'localhost', port: 5432, database: user });
    expect(user).not.toBe('b');
  });

  it.each(['PGPASSWORD', 'PGPASSFILE'])(
    'the environment lends no password to a URL that has none: %s',
    async (variable) => {
      const directory = mkdtempSync(join(tmpdir(), 'mayfly-pgpass-'));
      const url = new URL(database.url);
      const file = join(directory, 'pgpass');
      writeFileSync(file, `*:*:*:*:${url.password}\n`, { mode: 0o600 });
      process.env[variable] = variable === 'PGPASSFILE' ? file : url.password;
      url.password = '';
      await expect(createClient(url.href, SESSION).connect()).rejects.toThrow('the URL has none');
      rmSync(directory, { recursive: true });
    },
  );
});

it.each([
  ['eu%2Fcrm', 'eu/crm'],
  ['crm%3Aeu', 'crm:eu'],
  ['a%3Fb%23c?sslmode=disable', 'a?b#c'],
  ['c%20rm%25', 'c rm%'],
])('the reader of the database name in %s agrees with libpq', (path, name) => {
  expect(sessionConfig(`postgresql://u:p@h/${path}`, SESSION).database).toBe(name);
});

it('the reader refuses a database name with a wrong escape', () => {
  expect(() => sessionConfig('postgresql://u:p@h/%zz', SESSION)).toThrow('write %25 for the character itself');
});

it('a session honours options of the URL that Mayfly does not set', async () => {
  const url = `${database.url}?options=${encodeURIComponent('-c work_mem=8MB -c TimeZone=Asia/Kolkata')}&max=1&binary=true`;
  const seen = await onClient(createClient(url, SESSION), (client) => settingsOf(client, ['work_mem', 'TimeZone']));
  expect(seen).toEqual({ work_mem: '8MB', TimeZone: 'UTC' });
});

it('a session whose settings could not be stated is ended and never used', async () => {
  const config = { ...sessionConfig(database.url, { ...SESSION, applicationName: 'broken' }), opening: 'SELECT 1 / 0' };
  const pool = new pg.Pool({ ...config, max: 1 });
  for (let n = 0; n < 2; n++) await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '22012' });
  expect(pool.totalCount).toBe(0);
  await pool.end();
  await untilClosed('broken');
});

/** The server notices a moment later that a client has gone. */
async function untilClosed(applicationName: string): Promise<void> {
  for (;;) {
    const { rowCount } = await admin.query('SELECT FROM pg_stat_activity WHERE application_name = $1', [
      applicationName,
    ]);
    if (rowCount === 0) return;
  }
}
