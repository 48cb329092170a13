import { describe } from '@jest/globals';
import {
  PostgresConfigSchema,
  PostgresProvider,
  type PostgresConfig,
  type PostgresHandle,
  type PostgresScope,
} from '@mayfly/provider-postgres';
import { hostileLeaseSuite, type HostileSubject } from '@mayfly/testing';
import { createCrmDatabase, secretText, SERVERS_AND_WAYS, type Way } from './crm-database.js';
import { OPEN_DATABASE, POSTGRES_MISDEEDS } from './postgres-misdeeds.js';
import { scopeOf } from './postgres-target.js';
import { openSession, rows, run } from './sql.js';
import type { TargetServer } from './target-server.js';

describe.each(SERVERS_AND_WAYS)('postgres on a %s with small limits, by way of %s', (_, way, _start, startSmall) => {
  hostileLeaseSuite('postgres', POSTGRES_MISDEEDS, async () => subjectAt(await startSmall(), way));
});

async function subjectAt(
  server: TargetServer,
  way: Way,
): Promise<HostileSubject<PostgresConfig, PostgresScope, PostgresHandle>> {
  const crm = await createCrmDatabase(server, { way });
  // what the documentation takes from PUBLIC: what leases do with it has to be dealt with where nobody did that
  await run(
    crm.superuserUrl,
    'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC',
    'GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO PUBLIC',
    'GRANT UPDATE ON pg_catalog.pg_settings TO PUBLIC',
  );
  await run(server.url('postgres'), `CREATE DATABASE ${OPEN_DATABASE}`);
  const provider = new PostgresProvider();
  const reads = 'SELECT id FROM emea.customers';
  const worked = (reading: Promise<unknown>): Promise<boolean> =>
    reading.then(
      () => true,
      () => false,
    );
  return {
    provider,
    config: PostgresConfigSchema.parse({
      url: crm.loginUrl,
      role: crm.admin,
      maxConnections: 20,
      scramIterations: 1,
      acceptPreparedTransactions: true,
    }),
    scope: scopeOf(['customers']),
    isAlive: (secret) => worked(rows(secretText(secret, 'url'), reads)),
    open: async (secret) => {
      const { client } = await openSession(secretText(secret, 'url'));
      return { works: () => worked(client.query(reads)) };
    },
    close: async () => {
      await provider.close();
      await server.stop();
    },
  };
}
