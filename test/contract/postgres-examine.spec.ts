import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresConfigSchema, type PostgresScope } from '@mayfly/provider-postgres';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget } from './postgres-target.js';
import { run } from './sql.js';
import { TARGET_SERVERS } from './target-server.js';

describe.each(TARGET_SERVERS)('the examination of a scope by the postgres provider, on %s', (_, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start);
    await run(
      target.crm.superuserUrl,
      'CREATE VIEW emea.seen AS SELECT * FROM emea.salaries',
      'CREATE TABLE emea."Mixed" (id int); CREATE TABLE emea.withheld (id int); CREATE SEQUENCE emea.counter',
      'CREATE FUNCTION emea.total(int) RETURNS int LANGUAGE sql SECURITY DEFINER AS $f$ SELECT 1 $f$',
      'CREATE SCHEMA closed; CREATE TABLE closed.things (id int)',
      `GRANT SELECT ON ALL TABLES IN SCHEMA emea TO ${target.crm.admin} WITH GRANT OPTION`,
      `REVOKE ALL ON emea.withheld FROM ${target.crm.admin}`,
    );
  });
  afterAll(() => target.close());

  const examined = (scope: PostgresScope): Promise<readonly string[]> => {
    const config = PostgresConfigSchema.parse({ url: target.crm.loginUrl, role: target.crm.admin });
    return target.provider.examine(config, scope, patience());
  };
  const DEFINER = expect.stringMatching(/^every lease may run `emea.total\(integer\)` with the rights of the owner/);

  it('the examination of a postgres scope says nothing of tables that can be granted', async () => {
    expect(await examined(scopeOf(['customers', 'cases'], ['select', 'update'], 'apac'))).toEqual([]);
  });

  it.each([
    ['a table that is missing', scopeOf(['sins']), 'the database has no table `emea.sins`'],
    [
      'a table that differs by case',
      scopeOf(['mixed']),
      'the database has no table `emea.mixed`; `emea."Mixed"` differs by case',
    ],
    [
      'a function',
      scopeOf(['total']),
      'the database has no table `emea.total`; a function has that name, and functions cannot be granted',
    ],
    ['a sequence', scopeOf(['counter']), '`emea.counter` is not a table or view; change the scope'],
    ['a view', scopeOf(['seen']), expect.stringMatching(/^`emea.seen` is a view: it shows what its owner may read/)],
    [
      'a right that cannot be passed on',
      scopeOf(['withheld']),
      'the role of the connection cannot grant SELECT on table `emea.withheld`; grant it that WITH GRANT OPTION',
    ],
  ])(
    'the examination of a postgres scope names %s, and functions that every lease may run with the rights of their owner',
    async (_name, scope, remark) => {
      expect(await examined(scope)).toEqual([remark, DEFINER]);
    },
  );

  it('the examination of a postgres scope names a schema that is missing, and one that cannot be passed on', async () => {
    expect(await examined(scopeOf(['things'], ['select'], 'nowhere'))).toEqual([
      'the database has no schema `nowhere`',
    ]);
    expect(await examined(scopeOf(['things'], ['select'], 'closed'))).toEqual([
      'the role of the connection cannot grant USAGE on schema `closed`; grant it that WITH GRANT OPTION',
      'the role of the connection cannot grant SELECT on table `closed.things`; grant it that WITH GRANT OPTION',
    ]);
  });

  it.each([
    [1, /lib\/pq \(Go\) and pg8000/],
    [1_000, /: pg8000/],
  ])('the examination of a postgres scope warns of clients that refuse %i rounds', (scramIterations, clients) => {
    const config = PostgresConfigSchema.parse({ url: 'env:CRM', scramIterations });
    expect(target.provider.inspect(config)).toMatchObject([
      { severity: 'warning', detail: expect.stringMatching(clients) },
    ]);
    expect(target.provider.inspect(PostgresConfigSchema.parse({ url: 'env:CRM' }))).toEqual([]);
  });
});
