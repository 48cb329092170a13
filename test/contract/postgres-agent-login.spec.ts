import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ProbeCheck } from '@mayfly/credentials';
import { PostgresConfigSchema, PostgresProvider, type PostgresConfig } from '@mayfly/provider-postgres';
import { signedCertificate } from './certificates.js';
import { secretText } from './crm-database.js';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget } from './postgres-target.js';
import { openSession, rows, run } from './sql.js';
import { freePort, TARGET_SERVERS } from './target-server.js';

const SIGNED = signedCertificate('localhost');
const OTHER_AUTHORITY = signedCertificate('localhost').authority;

describe.each(TARGET_SERVERS)('TLS and the login of agents, on %s', (_, _start, startSmall) => {
  let target: PostgresTarget;
  let provider: PostgresProvider;
  let dataDirectory: string;
  beforeAll(async () => {
    target = await openPostgresTarget(startSmall);
    provider = new PostgresProvider();
    const [setting] = await target.asSuperuser<{ path: string }>(`SELECT current_setting('data_directory') AS path`);
    dataDirectory = setting!.path;
    placeInData('server.crt', SIGNED.certificate);
    placeInData('server.key', SIGNED.key);
    await setServer('ssl = on');
  });
  afterAll(async () => {
    await provider.close();
    await target.close();
  });

  const placeInData = (file: string, text: string): void => {
    const path = join(dataDirectory, file);
    writeFileSync(path, text, { mode: 0o600 });
    const { uid, gid } = statSync(dataDirectory);
    chownSync(path, uid, gid);
  };
  const setServer = async (setting: string): Promise<void> => {
    await run(target.server.url('postgres'), `ALTER SYSTEM SET ${setting}`, 'SELECT pg_reload_conf()');
    const [name, value] = setting.split(' = ');
    // the server reads its files a moment after it was told to; only sessions that open then are under them
    while ((await rows<Record<string, string>>(target.server.url('postgres'), `SHOW ${name!}`))[0]?.[name!] !== value);
  };
  const configFor = (host: string, query: string, more: object = {}): PostgresConfig => {
    const url = new URL(target.crm.loginUrl);
    url.hostname = host;
    url.search = query;
    return PostgresConfigSchema.parse({
      url: url.href,
      role: target.crm.admin,
      connectionCapacity: 10_000,
      acceptPreparedTransactions: true,
      ...more,
    });
  };
  const trusted = { sslRootCert: SIGNED.authority };
  const checkOf = async (config: PostgresConfig, name = 'log in as an agent does'): Promise<ProbeCheck | undefined> =>
    (await provider.probe(config, patience())).checks.find((check) => check.name === name);

  it.each([
    ['localhost', '?sslmode=verify-full', trusted],
    ['127.0.0.1', '?sslmode=verify-ca', trusted],
    ['127.0.0.1', '?uselibpqcompat=true&sslmode=verify-ca', trusted],
    ['127.0.0.1', '?uselibpqcompat=true&sslmode=require', trusted],
    ['127.0.0.1', '?uselibpqcompat=true&sslmode=require', {}],
    ['127.0.0.1', '?sslmode=no-verify', {}],
  ])('the postgres provider mints and ends leases over TLS at %s with %s', async (host, query, more) => {
    const order = target.orderFor({ config: configFor(host, query, more), scope: scopeOf(['customers']) });
    const { handle, secret } = await provider.mint(order, provider.plan(order), patience());
    const sessions = await target.asSuperuser(
      `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE usename = '${new URL(target.crm.loginUrl).username}'`,
    );
    expect(sessions).toEqual([{ ssl: true }]);
    const ca = secret.sslrootcert as string | undefined;
    const { client, ended } = await openSession({
      host,
      port: Number(secret.port),
      database: secretText(secret, 'database'),
      user: secretText(secret, 'username'),
      password: secretText(secret, 'password'),
      ssl: { ...(ca === undefined ? { rejectUnauthorized: false } : { ca }), checkServerIdentity: () => undefined },
    });
    expect((await client.query('SELECT id FROM emea.customers')).rows).toEqual([{ id: 1 }]);
    expect(await provider.revoke({ ...order, handle }, patience())).toEqual({ kind: 'revoked' });
    expect(await ended).toBeInstanceOf(Error);
    expect(await checkOf(order.config)).toMatchObject({ outcome: 'ok' });
    // no session of this connection may count as one of the next
    await provider.close();
    provider = new PostgresProvider();
  });

  it.each([
    ['127.0.0.1', '?sslmode=verify-full', trusted, 'the certificate of the database is for another host'],
    ['localhost', '?sslmode=verify-full', { sslRootCert: OTHER_AUTHORITY }, 'set `sslRootCert`'],
    ['127.0.0.1', '?sslmode=verify-ca', { sslRootCert: OTHER_AUTHORITY }, 'set `sslRootCert`'],
    ['localhost', '?sslmode=verify-full', {}, 'set `sslRootCert`'],
    ['localhost', '?uselibpqcompat=true&sslmode=verify-ca', {}, 'without a certificate of an authority'],
  ])('the postgres provider says what to change at %s with %s', async (host, query, more, words) => {
    const order = target.orderFor({ config: configFor(host, query, more) });
    expect(await checkOf(order.config, 'log in')).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining(words),
    });
    await expect(provider.mint(order, provider.plan(order), patience())).rejects.toMatchObject({
      detail: expect.stringContaining(words),
    });
  });

  describe('the connection test', () => {
    it('the connection test finds that the certificate is not for the host that agents get', async () => {
      const address = { host: '127.0.0.1', port: Number(new URL(target.crm.loginUrl).port) };
      expect(await checkOf(configFor('localhost', '?sslmode=verify-full', { ...trusted, address }))).toMatchObject({
        outcome: 'failed',
        detail: expect.stringContaining('is for another host'),
      });
    });

    it('the connection test warns that agents must check the certificate without an authority', async () => {
      placeInData('authority.crt', SIGNED.authority);
      const config = configFor('localhost', `?sslmode=verify-full&sslrootcert=${dataDirectory}/authority.crt`);
      expect(await checkOf(config, 'log in')).toMatchObject({ outcome: 'ok' });
      expect(await checkOf(config)).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('sslRootCert'),
      });
    });

    it('the connection test warns of an agent address that Mayfly cannot reach', async () => {
      const address = { host: '127.0.0.1', port: await freePort() };
      expect(await checkOf(configFor('127.0.0.1', '', { address }))).toMatchObject({
        outcome: 'warning',
        detail: expect.stringMatching(
          /from the network of Mayfly, which can differ from that of agents: nothing listens/,
        ),
      });
    });

    it('the connection test warns where pg_hba.conf lets no new role in by password, and takes what one of the ways of `prefer` lets in', async () => {
      const { username } = new URL(target.crm.loginUrl);
      const file = join(dataDirectory, 'pg_hba.conf');
      const before = readFileSync(file, 'utf8');
      const known = `host all postgres,${username} all scram-sha-256\n`;
      const reload = async (text: string): Promise<void> => {
        writeFileSync(file, text);
        await run(target.server.url('postgres'), 'SELECT pg_reload_conf()');
      };
      await reload(known);
      await untilIt(async () => (await checkOf(configFor('127.0.0.1', '')))?.outcome === 'warning');
      expect(await checkOf(configFor('127.0.0.1', ''))).toMatchObject({
        detail: expect.stringContaining('pg_hba.conf'),
      });
      await reload(`${known}hostnossl all all all scram-sha-256\n`);
      await untilIt(async () => (await checkOf(configFor('127.0.0.1', '')))?.outcome === 'ok');
      await reload(before);
    });

    it('the connection test fails when agents must encrypt and the server does not', async () => {
      await setServer('ssl = off');
      const config = configFor('127.0.0.1', '?sslmode=no-verify');
      expect(await checkOf(config, 'log in')).toMatchObject({
        outcome: 'failed',
        detail: expect.stringContaining('accepts no encrypted connection'),
      });
      expect(await checkOf(configFor('127.0.0.1', '?sslmode=disable'))).toMatchObject({ outcome: 'ok' });
      expect(await checkOf(configFor('127.0.0.1', ''))).toMatchObject({ outcome: 'ok' });
    });
  });
});

async function untilIt(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}
