-- Functions with which Mayfly creates and ends lease roles, so that its login needs no CREATEROLE. A superuser runs this file
-- once, in the database that agents use, on PostgreSQL 16 or newer; docs/connect-postgres.md says when and why. Running it
-- again replaces the functions and keeps the table. `mayfly_lessor` is the role of the connection.
--
-- The functions run with the rights of a superuser, so each of them checks its arguments itself. A caller can only
-- - create login roles whose names match the pattern of lease roles, without any attribute, that expire within 13 hours,
--   as members of a scope role that the same caller registered;
-- - change, mark and drop such roles, and no other ones;
-- - create roles that cannot log in and have no right. Only the caller itself can then grant such a role something, and
--   PostgreSQL lets the caller grant only what it was given WITH GRANT OPTION.
-- No argument becomes SQL text except through format(%I) and format(%L), after its check.
BEGIN;
DO $$
BEGIN
  IF current_setting('server_version_num')::int < 160000 THEN
    RAISE EXCEPTION 'these functions need PostgreSQL 16 or newer';
  END IF;
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RAISE EXCEPTION 'only a superuser can install these functions; elsewhere use the creator roles of docs/connect-postgres.md';
  END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS mayfly;
REVOKE ALL ON SCHEMA mayfly FROM PUBLIC;
-- Somebody else could have made the schema before, with a trigger or a function that would run as superuser.
DO $$
BEGIN
  IF EXISTS (
    SELECT FROM pg_namespace AS space JOIN pg_roles AS owner ON owner.oid = nspowner
     WHERE nspname = 'mayfly' AND NOT (owner.rolsuper AND nspacl IS NOT NULL AND NOT EXISTS (
             SELECT FROM aclexplode(nspacl) AS acl WHERE acl.privilege_type = 'CREATE' AND acl.grantee <> nspowner))
    UNION ALL
    SELECT FROM (SELECT pronamespace AS space, proowner AS owner FROM pg_proc
                 UNION ALL SELECT relnamespace, relowner FROM pg_class) AS thing
      JOIN pg_roles ON pg_roles.oid = thing.owner
     WHERE thing.space = 'mayfly'::regnamespace AND NOT rolsuper) THEN
    RAISE EXCEPTION 'the schema mayfly, or something in it, belongs to a role that is no superuser; drop the schema first';
  END IF;
END $$;

-- The scope roles, each with the role that may make lease roles members of it. Oids, because a name can be used again by
-- another role of the server.
CREATE TABLE IF NOT EXISTS mayfly.scope (role oid PRIMARY KEY, lessor oid NOT NULL);
REVOKE ALL ON mayfly.scope FROM PUBLIC;

CREATE OR REPLACE FUNCTION mayfly.version() RETURNS int
LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT 1';

-- The role that calls: the one of SET ROLE, otherwise the login. Inside the other functions, `current_user` is their owner.
CREATE OR REPLACE FUNCTION mayfly.caller() RETURNS oid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT oid FROM pg_catalog.pg_authid
   WHERE rolname = CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END
$$;

-- Raises unless every name is that of a lease role of this caller, or of no role.
CREATE OR REPLACE FUNCTION mayfly.require_leases(names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
  me CONSTANT oid := mayfly.caller();
  lease_name text;
  this_role pg_catalog.pg_authid;
BEGIN
  FOREACH lease_name IN ARRAY names LOOP
    IF (lease_name COLLATE "C" ~ '^mayfly_[0-9a-z]{26}$') IS NOT TRUE THEN
      RAISE insufficient_privilege USING MESSAGE = 'the name is not that of a lease role';
    END IF;
    SELECT * INTO this_role FROM pg_catalog.pg_authid WHERE rolname = lease_name::name;
    CONTINUE WHEN NOT FOUND;
    IF this_role.rolsuper OR this_role.rolcreaterole OR this_role.rolcreatedb OR this_role.rolreplication OR this_role.rolbypassrls
       OR EXISTS (SELECT FROM pg_catalog.pg_auth_members AS held WHERE held.member = this_role.oid
                     AND NOT EXISTS (SELECT FROM mayfly.scope AS own WHERE own.role = held.roleid AND own.lessor = me)) THEN
      RAISE insufficient_privilege USING MESSAGE = 'the role is not a lease role of this connection';
    END IF;
  END LOOP;
END $$;

-- Registers a scope role for the caller, and creates it if it is missing. Until the transaction ends, other calls wait.
CREATE OR REPLACE FUNCTION mayfly.make_scope(scope_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  me CONSTANT oid := mayfly.caller();
BEGIN
  IF (scope_name COLLATE "C" ~ '^mayfly_scope_[0-9a-f]{40}$') IS NOT TRUE THEN
    RAISE insufficient_privilege USING MESSAGE = 'the name is not that of a scope role';
  END IF;
  CREATE ROLE mayfly_scope_lock NOLOGIN;
  DROP ROLE mayfly_scope_lock;
  IF to_regrole(scope_name) IS NULL THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', scope_name);
  ELSIF NOT mayfly.has_scope(scope_name) AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_auth_members WHERE roleid = to_regrole(scope_name) AND member = me AND admin_option) THEN
    RAISE insufficient_privilege USING MESSAGE = 'the scope role belongs to another role';
  END IF;
  EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS NOLOGIN', scope_name);
  INSERT INTO mayfly.scope (role, lessor) VALUES (to_regrole(scope_name), me)
    ON CONFLICT (role) DO UPDATE SET lessor = excluded.lessor;
END $$;

CREATE OR REPLACE FUNCTION mayfly.has_scope(scope_name text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT EXISTS (SELECT FROM mayfly.scope WHERE role = to_regrole(scope_name) AND lessor = mayfly.caller()) $$;

-- Raises unless the role is a scope role of this caller without attributes or memberships of its own.
CREATE OR REPLACE FUNCTION mayfly.require_scope(scope_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
  this_role pg_catalog.pg_authid;
BEGIN
  SELECT * INTO this_role FROM pg_catalog.pg_authid
   WHERE rolname = scope_name::name AND scope_name COLLATE "C" ~ '^mayfly_scope_[0-9a-f]{40}$'
     AND EXISTS (SELECT FROM mayfly.scope WHERE role = pg_authid.oid AND lessor = mayfly.caller());
  IF NOT FOUND THEN
    RAISE undefined_object USING MESSAGE = 'the scope role does not exist, or is not registered for this connection';
  END IF;
  IF this_role.rolsuper OR this_role.rolcreaterole OR this_role.rolcreatedb OR this_role.rolreplication OR this_role.rolbypassrls
     OR this_role.rolcanlogin OR EXISTS (SELECT FROM pg_catalog.pg_auth_members WHERE member = this_role.oid) THEN
    RAISE insufficient_privilege USING MESSAGE = 'the scope role has more rights than a scope role may have';
  END IF;
END $$;

-- Creates lease roles, each a member of one scope role. The arrays have one element for each lease.
CREATE OR REPLACE FUNCTION mayfly.mint_leases(
  names text[], scopes text[], verifiers text[], connections int[], expiries timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT * FROM unnest(names, scopes, verifiers, connections, expiries) AS lease (name, scope, verifier, size, expiry) LOOP
    IF (one.name COLLATE "C" ~ '^mayfly_[0-9a-z]{26}$') IS NOT TRUE
       OR (one.scope COLLATE "C" ~ '^mayfly_scope_[0-9a-f]{40}$') IS NOT TRUE
       OR (one.verifier COLLATE "C" ~ '^SCRAM-SHA-256\$[1-9][0-9]{0,5}:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$') IS NOT TRUE
       OR (one.size BETWEEN 1 AND 1000) IS NOT TRUE
       OR (one.expiry < clock_timestamp() + interval '13 hours') IS NOT TRUE OR one.expiry = '-infinity' THEN
      RAISE insufficient_privilege USING MESSAGE = 'the order is not that of a lease role';
    END IF;
    EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT %s PASSWORD %L VALID UNTIL %L', one.name, one.size, one.verifier,
      to_char(one.expiry AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
  END LOOP;
  -- one GRANT for each scope role, after the creation of all roles: it keeps other grants of the role waiting
  FOR one IN SELECT scope, string_agg(quote_ident(name), ', ') AS members
               FROM unnest(names, scopes) AS lease (name, scope) GROUP BY scope ORDER BY scope COLLATE "C" LOOP
    PERFORM mayfly.require_scope(one.scope);
    EXECUTE format('GRANT %I TO %s WITH INHERIT TRUE, SET FALSE', one.scope, one.members);
  END LOOP;
END $$;

-- Writes the marks of lease roles as their comments; Mayfly knows its own roles by them when its database has lost a lease.
CREATE OR REPLACE FUNCTION mayfly.mark_leases(names text[], marks text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  one record;
BEGIN
  PERFORM mayfly.require_leases(names);
  FOR one IN SELECT * FROM unnest(names, marks) AS lease (name, mark) LOOP
    IF (one.mark COLLATE "C" ~ '^[A-Za-z0-9_-]{22}$') IS NOT TRUE THEN
      RAISE insufficient_privilege USING MESSAGE = 'the mark is not that of a lease';
    END IF;
    EXECUTE format('COMMENT ON ROLE %I IS %L', one.name, 'mayfly lease ' || one.mark);
  END LOOP;
END $$;

-- Moves the expiry of a lease role; never lets a role log in that may not.
CREATE OR REPLACE FUNCTION mayfly.renew_lease(lease_name text, expiry timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mayfly.require_leases(ARRAY[lease_name]);
  IF (expiry < clock_timestamp() + interval '13 hours') IS NOT TRUE OR expiry = '-infinity' THEN
    RAISE insufficient_privilege USING MESSAGE = 'the expiry is not that of a lease role';
  END IF;
  EXECUTE format('ALTER ROLE %I VALID UNTIL %L', lease_name, to_char(expiry AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
END $$;

-- Bars new logins. Raises `undefined_object` for a role that does not exist.
CREATE OR REPLACE FUNCTION mayfly.bar_leases(names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lease_name text;
BEGIN
  PERFORM mayfly.require_leases(names);
  FOREACH lease_name IN ARRAY names LOOP
    EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', lease_name);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION mayfly.drop_leases(names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  lease_name text;
BEGIN
  PERFORM mayfly.require_leases(names);
  FOREACH lease_name IN ARRAY names LOOP
    EXECUTE format('DROP ROLE IF EXISTS %I', lease_name);
  END LOOP;
END $$;

-- Waits for a transaction that is creating this role. Raises `duplicate_object` or `unique_violation` if the role exists.
CREATE OR REPLACE FUNCTION mayfly.await_mint(lease_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mayfly.require_leases(ARRAY[lease_name]);
  EXECUTE format('CREATE ROLE %I NOLOGIN', lease_name);
  EXECUTE format('DROP ROLE %I', lease_name);
END $$;

-- Makes the caller a member of a lease role, so that it can remove what the role made and roll back what it prepared.
CREATE OR REPLACE FUNCTION mayfly.join_lease(lease_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM mayfly.require_leases(ARRAY[lease_name]);
  EXECUTE format('GRANT %I TO %s WITH INHERIT TRUE, SET TRUE', lease_name, mayfly.caller()::regrole);
END $$;

-- Takes the scope role from a lease role that cannot be dropped.
CREATE OR REPLACE FUNCTION mayfly.strip_lease(lease_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  scope text;
BEGIN
  PERFORM mayfly.require_leases(ARRAY[lease_name]);
  FOR scope IN SELECT pg_get_userbyid(roleid) FROM pg_catalog.pg_auth_members WHERE member = to_regrole(lease_name) LOOP
    EXECUTE format('REVOKE %I FROM %I', scope, lease_name);
  END LOOP;
END $$;

-- Who holds back the removal of dead rows from the catalogs of roles; shows no query and no user.
CREATE OR REPLACE FUNCTION mayfly.snapshots()
RETURNS TABLE (what text, who text, place text, transactions int, seconds int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT 'session', pid::text, datname::text, greatest(age(backend_xmin), age(backend_xid)),
         extract(epoch FROM clock_timestamp() - xact_start)::int
    FROM pg_stat_activity WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND pid <> pg_backend_pid()
  UNION ALL
  SELECT 'replication slot', slot_name::text, database::text, greatest(age(catalog_xmin), age(xmin)), NULL
    FROM pg_replication_slots WHERE coalesce(catalog_xmin, xmin) IS NOT NULL
  UNION ALL
  SELECT 'prepared transaction', gid, database::text, age(transaction), extract(epoch FROM clock_timestamp() - prepared)::int
    FROM pg_prepared_xacts
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mayfly FROM PUBLIC;
GRANT USAGE ON SCHEMA mayfly TO mayfly_lessor;
GRANT EXECUTE ON FUNCTION mayfly.version(), mayfly.snapshots(), mayfly.has_scope(text), mayfly.make_scope(text),
  mayfly.mint_leases(text[], text[], text[], int[], timestamptz[]), mayfly.renew_lease(text, timestamptz),
  mayfly.bar_leases(text[]), mayfly.drop_leases(text[]), mayfly.await_mint(text), mayfly.join_lease(text),
  mayfly.strip_lease(text), mayfly.mark_leases(text[], text[]) TO mayfly_lessor;
COMMIT;
