import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type Problem } from '@mayfly/kernel';
import { startTestPostgres, type TestDatabase } from '@mayfly/testing';
import { startBroker } from '../../apps/broker/src/broker.js';
import { readConfig } from '../../apps/broker/src/config.js';
import { rowsOf } from '../support/rows.js';
import { until } from '../support/until.js';

let database: TestDatabase;
let environment: Readonly<Record<string, string>>;
beforeAll(async () => {
  database = await (await startTestPostgres()).createDatabase();
  environment = {
    ...{ MAYFLY_PUBLIC_URL: 'http://127.0.0.1:8420', PORT: '0', MAYFLY_LOG_LEVEL: 'silent', MAYFLY_QUEUE: 'off' },
    ...{ DATABASE_URL: database.url, MAYFLY_MIGRATION_URL: database.adminUrl },
  };
});
afterAll(() => database.drop());

const changed = (url: string, change: Partial<Record<'hostname' | 'port' | 'pathname' | 'password', string>>): string =>
  Object.assign(new URL(url), change).href;

/** Returns the text with which a start fails. It leaves nothing open. */
async function refusal(settings: Readonly<Record<string, string>>): Promise<string> {
  const variables = { ...environment, ...settings };
  const problem = await startBroker(readConfig(variables), variables).then(
    async (broker) => {
      await broker.stop();
      throw new Error('it started');
    },
    (error: unknown) => error as Problem,
  );
  return problem.detail;
}

describe('a start that is set up wrongly names the variable and the fact', () => {
  it.each(['DATABASE_URL', 'MAYFLY_MIGRATION_URL'])(
    'a start with a wrong password in %s names the variable and the fact',
    async (variable) => {
      const url = changed(environment[variable] ?? '', { password: 'canary' });
      const said = await refusal({ [variable]: url });
      expect(said).toBe(`${variable}: the server refuses its user or its password; correct them (28P01)`);
    },
  );

  it.each([
    [
      'a dead database',
      { port: '1' },
      'no server listens at its host and port; start it or correct them (ECONNREFUSED)',
    ],
    [
      'a database that does not exist',
      { pathname: '/nowhere' },
      'the server has no database of that name; create it or correct the name (3D000)',
    ],
    ['a host that does not exist', { hostname: 'no-such-host.invalid' }, /^MAYFLY_MIGRATION_URL: its host name /],
  ])('a start with MAYFLY_MIGRATION_URL of %s names the variable and the fact', async (_, change, fact) => {
    const said = await refusal({ MAYFLY_MIGRATION_URL: changed(database.adminUrl, change) });
    if (typeof fact === 'string') expect(said).toBe(`MAYFLY_MIGRATION_URL: ${fact}`);
    else expect(said).toMatch(fact);
  });

  it('a start with a wrong DATABASE_URL alone names the variable and the fact', async () => {
    const said = await refusal({ DATABASE_URL: changed(database.url, { port: '1' }), MAYFLY_MIGRATION_URL: '' });
    expect(said).toMatch(/^DATABASE_URL: no server listens/);
  });

  it('a start with a PORT in use names the variable and the fact', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const said = await refusal({ PORT: String((other.address() as AddressInfo).port) });
    other.close();
    expect(said).toBe('PORT: another process listens there already; choose another port (EADDRINUSE)');
  });

  it('a start with the HOST of another machine names the variable and the fact', async () => {
    expect(await refusal({ HOST: '192.0.2.1' })).toMatch(/^HOST: this machine does not have that address/);
  });

  it.each([
    ['that is not there', '/nowhere/at/all', 'cannot be read (ENOENT)'],
    ['that is a directory', '/etc', 'cannot be read (EISDIR)'],
  ])('a start with a MAYFLY_BOOTSTRAP_ISSUER %s names the variable and the fact', async (_, path, fact) => {
    const said = await refusal({ MAYFLY_BOOTSTRAP_ISSUER: path });
    expect(said).toBe(`MAYFLY_BOOTSTRAP_ISSUER: ${path} ${fact}; name a file that exists and that this user may read`);
  });

  it.each([
    ['MAYFLY_CONFIG_DIR', 'that is not there', '/nowhere/at/all', 'ENOENT', 'a directory of YAML files'],
    ['MAYFLY_CONFIG_DIR', 'that is a file', 'package.json', 'ENOTDIR', 'a directory of YAML files'],
    ['MAYFLY_SECRETS_DIR', 'that is not there', '/nowhere/at/all', 'ENOENT', 'the directory of the secrets'],
    ['MAYFLY_SECRETS_DIR', 'that is a file', 'package.json', 'ENOTDIR', 'the directory of the secrets'],
  ])('a start with a %s %s names the variable and the fact', async (variable, _, path, code, wanted) => {
    expect(await refusal({ [variable]: path })).toBe(
      `${variable} names no readable directory (${code}); name ${wanted}`,
    );
  });

  it.each([
    ['a file', '/etc/passwd', 'EEXIST'],
    ['a place below a file', '/etc/passwd/data', 'ENOTDIR'],
  ])('a start with a MAYFLY_DATA_DIR of %s names the variable and the fact', async (_, path, code) => {
    const embedded = { DATABASE_URL: '', MAYFLY_MIGRATION_URL: '', MAYFLY_DATA_DIR: path };
    expect(await refusal(embedded)).toBe(`MAYFLY_DATA_DIR: it names a file; name a directory (${code})`);
  });

  it('a start with a missing certificate in DATABASE_URL names the variable and the fact', async () => {
    const url = `${database.url}?sslmode=verify-full&sslrootcert=/nowhere/at/all`;
    expect(await refusal({ DATABASE_URL: url, MAYFLY_MIGRATION_URL: '' })).toBe(
      'DATABASE_URL: a file that it names (certificate, key or socket) is missing; correct the path (ENOENT)',
    );
  });

  it('a wrong start prints one line without a stack and exits with status 1', () => {
    const { PATH = '', HOME = '' } = process.env;
    const url = changed(database.url, { password: 'canary' });
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--enable-source-maps', 'dist/broker/start.mjs'], {
      env: { PATH, HOME, ...environment, MAYFLY_MIGRATION_URL: '', DATABASE_URL: url },
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'mayfly: DATABASE_URL: the server refuses its user or its password; correct them (28P01)\n',
    });
    expect(stdout).not.toContain('canary');
  });
});

describe('a sealing key that is another one', () => {
  it('a sealing key that is another one stops the start, which names the variable; with the first key it continues', async () => {
    const [first, other] = ['0a'.repeat(32), '0b'.repeat(32)];
    const own = await (await startTestPostgres()).createDatabase();
    const urls = { DATABASE_URL: own.url, MAYFLY_MIGRATION_URL: own.adminUrl };
    const start = (key: string) => {
      const variables = { ...environment, ...urls, MAYFLY_SEALING_KEY: key };
      return startBroker(readConfig(variables), variables);
    };
    const before = await start(first);
    const keys = before.services.keyRing.jwks();
    await before.stop();
    expect(await refusal({ ...urls, MAYFLY_SEALING_KEY: other })).toMatch(
      /^MAYFLY_SEALING_KEY: another key sealed the signing keys/,
    );
    const after = await start(first);
    expect(after.services.keyRing.jwks()).toEqual(keys);
    await after.stop();
    await own.drop();
  });
});

describe('the statements of docs/deploy.md', () => {
  const names = { owner: 'docs_owner', service: 'docs_service', database: 'docs_database' };
  const password = 'of-this-test';
  let postgres: Awaited<ReturnType<typeof startTestPostgres>>;
  const admin = (statement: string, database = 'postgres') =>
    rowsOf(postgres.server.url(database, 'postgres'), statement);
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(async () => {
    await admin(`DROP DATABASE IF EXISTS ${names.database} WITH (FORCE)`);
    await admin(`DROP ROLE IF EXISTS ${names.owner}, ${names.service}`);
  });

  it('the statements of docs/deploy.md make a database that the service starts on, with jobs in PostgreSQL', async () => {
    const blocks = [...readFileSync('docs/deploy.md', 'utf8').matchAll(/```sql\n(.*?)```/gs)].map(
      ([, sql = '']) => sql,
    );
    const statements = blocks
      .join('')
      .replaceAll('…', password)
      .replaceAll('mayfly_service', names.service)
      .replaceAll('DATABASE mayfly', `DATABASE ${names.database}`)
      .replace(/\bmayfly\b/g, names.owner)
      .split(';')
      .filter((statement) => statement.trim() !== '');
    expect(statements.length).toBeGreaterThan(5);
    let database = 'postgres';
    for (const statement of statements) {
      // psql's, at the beginning of a line of its own
      const connect = /^\s*\\connect \w+\n/;
      if (connect.test(statement)) database = names.database;
      await admin(statement.replace(connect, ''), database);
    }
    expect(database).toBe(names.database);
    const urlOf = (username: string) =>
      Object.assign(new URL(postgres.server.url(names.database)), { username, password }).href;
    const variables = {
      ...environment,
      ...{ MAYFLY_QUEUE: 'on', DATABASE_URL: urlOf(names.service), MAYFLY_MIGRATION_URL: urlOf(names.owner) },
    };
    const broker = await startBroker(readConfig(variables), variables);
    try {
      await until('a job is in PostgreSQL', 30, async () => {
        await broker.services.queue?.add([
          { leaseId: newId('lse'), runAt: new Date(Date.now() + 60_000), reason: 'due' },
        ]);
        const jobs = 'SELECT FROM bullmq.job';
        const found = await rowsOf(postgres.server.url(names.database, 'postgres'), jobs).catch(() => []);
        return found.length > 0;
      });
    } finally {
      await broker.stop();
    }
  });
});
