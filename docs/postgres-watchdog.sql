-- Ends the sessions of leases whose time is over, also while no process of Mayfly runs. A superuser runs this file once, in
-- the database of the connection, on PostgreSQL 14 or newer; docs/connect-postgres.md says when, why, and how to call the
-- function every second. One caller is enough for all databases of a server. Running the file again replaces the function.
-- Where nobody is a superuser, a role with pg_signal_backend runs it. `mayfly_lessor` is the role of the connection.
--
-- The function takes no argument and can only end sessions of lease roles: roles whose name is that of a lease, that have
-- no attribute of an administrator, that belong to a scope role of Mayfly or carry the mark of a lease, and whose
-- VALID UNTIL has passed by the clock of this server, or that may not log in any more.
BEGIN;
DO $$
BEGIN
  IF current_setting('server_version_num')::int < 140000 THEN
    RAISE EXCEPTION 'the watchdog needs PostgreSQL 14 or newer';
  END IF;
  IF NOT (SELECT rolsuper OR pg_has_role(oid, 'pg_signal_backend', 'USAGE') FROM pg_roles WHERE rolname = current_user) THEN
    RAISE EXCEPTION 'only a superuser or a role with pg_signal_backend can install the watchdog';
  END IF;
  IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'mayfly_watchdog' AND pg_get_userbyid(nspowner) <> current_user) THEN
    RAISE EXCEPTION 'the schema mayfly_watchdog belongs to another role; run this file as that role, or drop the schema first';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mayfly_watchdog') THEN
    CREATE ROLE mayfly_watchdog LOGIN;
  END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS mayfly_watchdog;
REVOKE ALL ON SCHEMA mayfly_watchdog FROM PUBLIC;

-- One row: when the watchdog ran last, at most five seconds old, and how many sessions it has ended.
CREATE TABLE IF NOT EXISTS mayfly_watchdog.heartbeat (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  ran_at timestamptz NOT NULL,
  ended bigint NOT NULL
);
INSERT INTO mayfly_watchdog.heartbeat (ran_at, ended) VALUES ('-infinity', 0) ON CONFLICT (one) DO NOTHING;
REVOKE ALL ON mayfly_watchdog.heartbeat FROM PUBLIC;

-- Ends what is overdue, and returns the number of sessions. Begins at the open sessions, so that its cost does not depend
-- on the number of roles. A standby has no heartbeat of its own.
CREATE OR REPLACE FUNCTION mayfly_watchdog.end_overdue() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  overdue record;
  number int := 0;
BEGIN
  FOR overdue IN
    SELECT session.pid FROM pg_catalog.pg_stat_activity AS session
      JOIN pg_catalog.pg_roles AS lease ON lease.oid = session.usesysid
     WHERE lease.rolname COLLATE "C" ~ '^mayfly_[0-9a-z]{26}$'
       AND (lease.rolvaliduntil <= clock_timestamp() OR NOT lease.rolcanlogin)
       AND NOT (lease.rolsuper OR lease.rolcreaterole OR lease.rolcreatedb OR lease.rolreplication OR lease.rolbypassrls)
       AND (shobj_description(lease.oid, 'pg_authid') LIKE 'mayfly lease %' OR EXISTS (
             SELECT FROM pg_catalog.pg_auth_members AS held JOIN pg_catalog.pg_roles AS scope ON scope.oid = held.roleid
              WHERE held.member = lease.oid AND scope.rolname COLLATE "C" ~ '^mayfly_scope_[0-9a-f]{40}$'))
  LOOP
    IF pg_terminate_backend(overdue.pid) THEN
      number := number + 1;
    END IF;
  END LOOP;
  IF NOT pg_is_in_recovery() THEN
    UPDATE mayfly_watchdog.heartbeat SET ran_at = clock_timestamp(), ended = ended + number
     WHERE number > 0 OR ran_at < clock_timestamp() - interval '5 seconds';
  END IF;
  RETURN number;
END $$;

REVOKE ALL ON FUNCTION mayfly_watchdog.end_overdue() FROM PUBLIC;
GRANT USAGE ON SCHEMA mayfly_watchdog TO mayfly_watchdog, mayfly_lessor;
GRANT EXECUTE ON FUNCTION mayfly_watchdog.end_overdue() TO mayfly_watchdog;
GRANT SELECT ON mayfly_watchdog.heartbeat TO mayfly_lessor;
DO $$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO mayfly_watchdog', current_database());
  IF current_setting('server_version_num')::int >= 160000 THEN
    GRANT pg_use_reserved_connections TO mayfly_watchdog;
  END IF;
END $$;
COMMIT;
