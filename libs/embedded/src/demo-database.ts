import type pg from 'pg';
import { ensureDatabase, ensureLoginRole, withSetUpSession } from './postgres/roles.js';
import type { EmbeddedPostgres } from './embedded-postgres.js';

/** The rows of each region of the demo. The companies are invented. */
const REGIONS = {
  emea: {
    customers: ['Aurora Logistics', 'Brightwater Mills', 'Cobalt Rail'],
    cases: ['Invoice shows the wrong tax rate', 'Delivery note missing', 'Password reset mail never arrives'],
  },
  apac: {
    customers: ['Drift Line Shipping', 'Emberfield Foods', 'Fernhill Optics'],
    cases: ['Export stops at ten thousand rows', 'Duplicate order after a timeout', 'Report is a day behind'],
  },
} as const;

/** PUBLIC gets no right here: a lease reaches data only through its scope role. */
const regionTables = (region: string) => `
  CREATE SCHEMA ${region};
  CREATE TABLE ${region}.customers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    tier text NOT NULL CHECK (tier IN ('standard', 'premium'))
  );
  CREATE TABLE ${region}.cases (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES ${region}.customers,
    subject text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'waiting', 'closed')),
    opened_at timestamptz NOT NULL
  );
  CREATE TABLE ${region}.case_notes (
    id integer PRIMARY KEY,
    case_id integer NOT NULL REFERENCES ${region}.cases,
    body text NOT NULL,
    written_at timestamptz NOT NULL
  );`;

const regionRows = (region: string) => `
  INSERT INTO ${region}.customers
    SELECT n, name, CASE n WHEN 1 THEN 'premium' ELSE 'standard' END
    FROM unnest($1::text[]) WITH ORDINALITY AS given (name, n);`;

const caseRows = (region: string) => `
  INSERT INTO ${region}.cases
    SELECT n, n, subject, (ARRAY['open', 'waiting', 'closed'])[n], timestamptz '2026-01-05 09:00Z' + n * interval '1 day'
    FROM unnest($1::text[]) WITH ORDINALITY AS given (subject, n);`;

const noteRows = (region: string) => `
  INSERT INTO ${region}.case_notes
    SELECT 2 * c.id - 1 + step, c.id, (ARRAY['Reproduced; passed on to the team.', 'Answered; waiting for the customer.'])[step + 1],
      c.opened_at + (step + 1) * interval '2 hours'
    FROM ${region}.cases AS c, generate_series(0, 1) AS step;`;

/** The connection can reach this table; no starter template grants it. */
const SALARIES = `
  CREATE SCHEMA hr;
  CREATE TABLE hr.salaries (
    employee_number integer PRIMARY KEY,
    grade text NOT NULL,
    yearly_amount numeric(10, 2) NOT NULL,
    currency char(3) NOT NULL
  );
  INSERT INTO hr.salaries VALUES (1001, 'E4', 61000, 'EUR'), (1002, 'E5', 74500, 'EUR'), (1003, 'M2', 98000, 'EUR');
  REVOKE ALL ON SCHEMA public FROM PUBLIC;`;

/**
 * The rights that docs/connect-postgres.md revokes: with them a lease could leave objects behind or block other
 * sessions.
 */
const NOT_FOR_PUBLIC = `
  REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC;
  REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC;
  DO $$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$' LOOP
      EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
  END $$;
  GRANT EXECUTE ON FUNCTION pg_try_advisory_xact_lock(integer, integer) TO mayfly_crm`;

/**
 * Prepares the database `crm` of the starter templates: schemas `emea` and `apac` with `customers`, `cases` and
 * `case_notes`, and `hr.salaries`. Returns the URL for the connection `crm`, as the role `mayfly_crm`: it owns the
 * database, may create roles and end sessions, and is no superuser. PUBLIC may not even connect. `functions` is the
 * text of docs/postgres-functions.sql; without it, creator roles make lease roles. Safe to repeat.
 */
export async function prepareDemoDatabase(embedded: EmbeddedPostgres, functions?: string): Promise<string> {
  await withSetUpSession(embedded.url('postgres', 'postgres'), async (client) => {
    await ensureLoginRole(client, 'mayfly_crm', embedded.password('mayfly_crm'), 'CREATEROLE');
    await client.query('GRANT pg_use_reserved_connections TO mayfly_crm');
    await client.query('GRANT pg_signal_backend TO mayfly_crm WITH INHERIT TRUE');
    await ensureCreators(client);
    await ensureDatabase(client, 'crm', 'mayfly_crm');
  });
  await withSetUpSession(embedded.url('crm', 'postgres'), async (client) => {
    await client.query(NOT_FOR_PUBLIC);
    if (functions !== undefined) await client.query(functions.replaceAll('mayfly_lessor', 'mayfly_crm'));
  });
  const url = embedded.url('crm', 'mayfly_crm');
  await withSetUpSession(url, fillOnce);
  return url;
}

/** Creates the roles that create lease roles for `mayfly_crm`, as in docs/connect-postgres.md. */
async function ensureCreators(client: pg.ClientBase): Promise<void> {
  await client.query(`
    DO $$ BEGIN
      FOR n IN 1..8 LOOP
        IF to_regrole(format('mayfly_crm_%s', n)) IS NULL THEN
          EXECUTE format('CREATE ROLE mayfly_crm_%s NOLOGIN CREATEROLE', n);
        END IF;
        EXECUTE format('GRANT mayfly_crm_%s TO mayfly_crm WITH INHERIT FALSE, SET TRUE', n);
      END LOOP;
    END $$`);
}

async function fillOnce(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ filled: boolean }>("SELECT to_regnamespace('hr') IS NOT NULL AS filled");
  if (rows[0]?.filled === true) return;
  await client.query('BEGIN');
  for (const [region, { customers, cases }] of Object.entries(REGIONS)) {
    await client.query(regionTables(region));
    await client.query(regionRows(region), [customers]);
    await client.query(caseRows(region), [cases]);
    await client.query(noteRows(region));
  }
  await client.query(SALARIES);
  await client.query('COMMIT');
}
