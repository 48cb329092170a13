import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ProbeCheck } from '@mayfly/credentials';
import { PostgresConfigSchema } from '@mayfly/provider-postgres';
import { WAYS, type Way } from './crm-database.js';
import { openPostgresTarget, patience, type PostgresTarget } from './postgres-target.js';
import { openSession, run } from './sql.js';
import { until } from '../support/until.js';
import { TARGET_SERVERS } from './target-server.js';

const [, startCurrent] = TARGET_SERVERS[0]!;
const MANY_TRANSACTIONS = `DO $$ BEGIN FOR n IN 1..10001 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`;

describe.each(Object.keys(WAYS) as Way[])('the connection test of a PostgreSQL, by way of %s', (way) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(startCurrent, way);
  });
  afterAll(() => target.close());

  const checkNamed = async (name: string): Promise<ProbeCheck | undefined> => {
    const config = PostgresConfigSchema.parse({ url: target.crm.loginUrl, role: target.crm.admin });
    const { checks } = await target.provider.probe(config, patience());
    expect(checks.filter(({ outcome }) => outcome === 'missing' || outcome === 'failed')).toEqual([]);
    return checks.find((check) => check.name === name);
  };

  it('the connection test says which way is used, how many leases live, and what another way would save', async () => {
    const leases = [await target.mint(), await target.mint()];
    const words = {
      login: [
        /makes lease roles itself; 2 lease roles live/,
        /creator roles would add .*functions of the owner nothing/,
      ],
      creators: [/32 creator roles make lease roles; 2 lease roles live/, /postgres-functions\.sql would save that/],
      functions: [/functions of the owner make lease roles; \d+ lease roles live, at no cost/],
    }[way];
    const check = await checkNamed('cost of many leases');
    expect(check?.outcome).toBe(way === 'login' ? 'warning' : 'ok');
    for (const pattern of words) expect(check?.detail).toMatch(pattern);
    await Promise.all(leases.map(({ order }) => target.revoke(order)));
  });

  it('the connection test says who holds an old snapshot, in any database of the server, where it may see sessions', async () => {
    if (way !== 'functions') await run(target.crm.superuserUrl, `GRANT pg_read_all_stats TO ${target.crm.admin}`);
    expect(await checkNamed('no old snapshot at the server')).toMatchObject({ outcome: 'ok' });
    const { client } = await openSession(target.server.url('template1'));
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const [reader] = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
    await run(target.crm.superuserUrl, MANY_TRANSACTIONS);
    expect(await checkNamed('no old snapshot at the server')).toMatchObject({
      outcome: 'warning',
      detail: expect.stringContaining(`session \`${String(reader?.pid)}\` in database \`template1\``),
    });
    await client.end();
    const isGone = async () => (await checkNamed('no old snapshot at the server'))?.outcome === 'ok';
    await until('the session and its snapshot are gone', 15, isGone);
  });
});
