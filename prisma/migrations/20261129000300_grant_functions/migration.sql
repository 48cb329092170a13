-- The two commits of a grant as functions. One call carries all requests that wait (ADR 0002) as arrays of records, whose
-- columns have names. A function runs a few prepared statements in place of one statement of twenty CTEs, and asks for the
-- verdict of each request only when a check finds fewer rows than requests. Functions name every object with its schema
-- and have no search path of their own: sessions of the service look names up in the catalog alone.

-- The sum of `recent`. It changes only when a second passes or a task is granted.
ALTER TABLE "quota_counter" ADD COLUMN "minute" INTEGER NOT NULL DEFAULT 0;
UPDATE "quota_counter" SET "minute" = (SELECT coalesce(sum(n), 0) FROM unnest("recent") AS n);

CREATE OR REPLACE FUNCTION public.quota_take(p_scope text, p_wanted int, p_per_minute int, p_concurrent int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  counter public.quota_counter;
  this_second bigint;
  passed int;
  granted int;
BEGIN
  SELECT * INTO counter FROM public.quota_counter WHERE scope = p_scope FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO public.quota_counter (scope, active, recent, recent_second) VALUES (p_scope, 0, array_fill(0, ARRAY[61]), 0)
      ON CONFLICT (scope) DO NOTHING;
    SELECT * INTO counter FROM public.quota_counter WHERE scope = p_scope FOR UPDATE;
  END IF;
  -- Read under the lock: seconds that passed during the wait for it are no longer part of the minute.
  this_second := floor(extract(epoch FROM clock_timestamp()));
  passed := least(61, greatest(0, this_second - counter.recent_second));
  IF passed > 0 THEN
    counter.recent := counter.recent[passed + 1 : 61] || array_fill(0, ARRAY[passed]);
    counter.minute := (SELECT sum(n) FROM unnest(counter.recent) AS n);
    counter.recent_second := this_second;
  END IF;
  granted := greatest(0, least(p_wanted, p_concurrent - counter.active, p_per_minute - counter.minute));
  counter.recent[61] := counter.recent[61] + granted;
  UPDATE public.quota_counter
     SET active = active + granted, minute = counter.minute + granted, recent = counter.recent, recent_second = counter.recent_second
   WHERE scope = p_scope;
  RETURN granted;
END $$;

-- Entries have values in these columns only when a lease ends early, shares a revocation point, or is due: a partial index
-- costs nothing at issuance.
DROP INDEX "lease_end_cause_created_at_idx";
CREATE INDEX "lease_end_cause_created_at_idx" ON "lease"("end_cause", "created_at") WHERE "end_cause" IS NOT NULL;
DROP INDEX "lease_target_expires_at_idx";
CREATE INDEX "lease_target_expires_at_idx" ON "lease"("target", "expires_at") WHERE "target" IS NOT NULL;
DROP INDEX "lease_due_at_idx";
CREATE INDEX "lease_due_at_idx" ON "lease"("due_at") WHERE "due_at" IS NOT NULL;

CREATE TYPE "task_intent" AS (
    "id" TEXT,
    "agent_id" TEXT,
    "agent_name" TEXT,
    "runtime" TEXT,
    "issuer" TEXT,
    "subject" TEXT,
    "template_name" TEXT,
    "template_version" INTEGER,
    "parameters" JSONB,
    "purpose" TEXT,
    "requested_ttl_seconds" INTEGER,
    "created_at" TIMESTAMPTZ,
    "expires_at" TIMESTAMPTZ,
    "max_expires_at" TIMESTAMPTZ,
    "heartbeat_timeout_seconds" INTEGER,
    "live_leases" INTEGER,
    "quota_scope" TEXT,
    "tasks_per_minute" INTEGER,
    "concurrent_tasks" INTEGER
);

CREATE TYPE "lease_intent" AS (
    "id" TEXT,
    "task_id" TEXT,
    "name" TEXT,
    "provider" TEXT,
    "connection" TEXT,
    "revocation" TEXT,
    "revocation_note" TEXT,
    "target" TEXT,
    "state" TEXT,
    "agent_name" TEXT,
    "template_name" TEXT,
    "scope" JSONB,
    "scope_digest" TEXT,
    "sealed_handle" BYTEA,
    "created_at" TIMESTAMPTZ,
    "mint_by" TIMESTAMPTZ,
    "expires_at" TIMESTAMPTZ,
    "provider_expires_at" TIMESTAMPTZ,
    "due_at" TIMESTAMPTZ
);

-- The hold of a task on its idempotency key. `held_at` is text: it has microseconds, which a client's instant may not have.
CREATE TYPE "key_hold_record" AS (
    "task_id" TEXT,
    "agent_id" TEXT,
    "runtime" TEXT,
    "issuer" TEXT,
    "subject" TEXT,
    "key" TEXT,
    "held_at" TEXT
);

CREATE TYPE "wake_up_record" AS (
    "task_id" TEXT,
    "lease_id" TEXT,
    "reason" TEXT,
    "run_at" TIMESTAMPTZ
);

CREATE TYPE "activated_lease" AS (
    "id" TEXT,
    "task_id" TEXT,
    "sealed_handle" BYTEA,
    "provider_expires_at" TIMESTAMPTZ,
    "due_at" TIMESTAMPTZ
);

-- Step 9 of the path for many requests. Returns the verdict of each in the order of `p_tasks`. A request with the verdict
-- `opened` is written whole (task, leases, audit, wake-ups, quota); any other writes nothing. The rows are locked in one
-- order: agents, templates, connections, keys, quota scopes. Agents and templates are locked FOR SHARE: the call waits for
-- a running suspension or retirement, and a later one finds the leases written here. The call binds an idempotency key to
-- its task, so that a crash cannot free the key. `p_agents` and `p_connections` have each id and name of the requests
-- once; `p_templates` has each name once.
CREATE FUNCTION public.open_tasks(p_agents text[], p_templates text[], p_connections text[], p_tasks public.task_intent[],
    p_leases public.lease_intent[], p_holds public.key_hold_record[], p_entries public.audit_record[],
    p_wake_ups public.wake_up_record[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  active_agents text[];
  current_versions text[];
  with_disabled text[] := '{}';
  with_key text[] := '{}';
  judged_at timestamptz;
  verdicts text[];
  opened text[];
  demand record;
  granted int;
BEGIN
  active_agents := ARRAY(
    SELECT a.id FROM public.agent a WHERE a.id = ANY (p_agents) AND a.state = 'active' ORDER BY a.id FOR SHARE);
  current_versions := ARRAY(
    SELECT t.name || '@' || t.current_version FROM public.template t
    WHERE t.name = ANY (p_templates) AND t.state = 'published' ORDER BY t.name FOR SHARE);
  IF cardinality(p_connections) > 0 THEN
    with_disabled := ARRAY(
      SELECT CASE WHEN c.state = 'disabled' THEN c.name END FROM public.connection c
      WHERE c.name = ANY (p_connections) ORDER BY c.name FOR SHARE);
    with_disabled := ARRAY(SELECT l.task_id FROM unnest(p_leases) AS l WHERE l.connection = ANY (array_remove(with_disabled, NULL)));
  END IF;
  IF cardinality(p_holds) > 0 THEN
    with_key := ARRAY(
      SELECT h.task_id FROM unnest(p_holds) AS h JOIN public.idempotency_key k
        ON k.agent_id = h.agent_id AND k.runtime = h.runtime AND k.issuer = h.issuer AND k.subject = h.subject AND k.key = h.key
      WHERE k.task_id = '' AND k.claimed_at = h.held_at::timestamptz
      ORDER BY k.agent_id, k.runtime, k.issuer, k.subject, k.key FOR UPDATE OF k);
  END IF;

  judged_at := clock_timestamp();
  verdicts := ARRAY(
    SELECT CASE
        WHEN abs(extract(epoch FROM judged_at - t.created_at)) > 5 THEN 'clock'
        WHEN t.agent_id <> ALL (active_agents) THEN 'agent'
        WHEN t.template_name || '@' || t.template_version <> ALL (current_versions) THEN 'template'
        WHEN t.id = ANY (with_disabled) THEN 'connection'
      END FROM unnest(p_tasks) AS t);
  IF cardinality(p_holds) > cardinality(with_key) THEN
    verdicts := ARRAY(
      SELECT coalesce(verdicts[i], CASE WHEN EXISTS (
          SELECT FROM unnest(p_holds) AS h WHERE h.task_id = p_tasks[i].id AND h.task_id <> ALL (with_key)) THEN 'key' END)
      FROM generate_subscripts(p_tasks, 1) AS i);
  END IF;

  FOR demand IN
    SELECT t.quota_scope AS scope, count(*)::int AS wanted, min(t.tasks_per_minute) AS per_minute, min(t.concurrent_tasks) AS concurrent
    FROM unnest(p_tasks) WITH ORDINALITY AS t WHERE verdicts[t.ordinality] IS NULL GROUP BY t.quota_scope ORDER BY t.quota_scope
  LOOP
    granted := public.quota_take(demand.scope, demand.wanted, demand.per_minute, demand.concurrent);
    IF granted < demand.wanted THEN
      -- The first requests of the scope get what is left.
      verdicts := ARRAY(
        SELECT CASE WHEN verdicts[i] IS NULL AND p_tasks[i].quota_scope = demand.scope AND i > granted + (
            SELECT count(*) FROM generate_series(1, i) AS before
            WHERE verdicts[before] IS NOT NULL OR p_tasks[before].quota_scope <> demand.scope)
          THEN 'quota' ELSE verdicts[i] END
        FROM generate_subscripts(p_tasks, 1) AS i);
    END IF;
  END LOOP;

  IF cardinality(array_remove(verdicts, NULL)) > 0 THEN
    opened := ARRAY(SELECT p_tasks[i].id FROM generate_subscripts(p_tasks, 1) AS i WHERE verdicts[i] IS NULL);
    p_tasks := ARRAY(SELECT t FROM unnest(p_tasks) AS t WHERE t.id = ANY (opened));
    p_leases := ARRAY(SELECT l FROM unnest(p_leases) AS l WHERE l.task_id = ANY (opened));
    p_holds := ARRAY(SELECT h FROM unnest(p_holds) AS h WHERE h.task_id = ANY (opened));
    p_entries := ARRAY(SELECT e FROM unnest(p_entries) AS e WHERE e.task_id = ANY (opened));
    p_wake_ups := ARRAY(SELECT w FROM unnest(p_wake_ups) AS w WHERE w.task_id = ANY (opened));
  END IF;

  INSERT INTO public.task (id, state, agent_id, agent_name, runtime, issuer, subject, template_name, template_version, parameters,
      purpose, requested_ttl_seconds, created_at, expires_at, max_expires_at, heartbeat_timeout_seconds, heartbeat_at, live_leases)
    SELECT t.id, 'active', t.agent_id, t.agent_name, t.runtime, t.issuer, t.subject, t.template_name, t.template_version,
      t.parameters, t.purpose, t.requested_ttl_seconds, t.created_at, t.expires_at, t.max_expires_at,
      t.heartbeat_timeout_seconds, CASE WHEN t.heartbeat_timeout_seconds IS NOT NULL THEN t.created_at END, t.live_leases
    FROM unnest(p_tasks) AS t;
  INSERT INTO public.lease (id, task_id, name, provider, connection, revocation, revocation_note, target, state, agent_name,
      template_name, scope, scope_digest, sealed_handle, created_at, mint_by, issued_by, expires_at, provider_expires_at, due_at)
    SELECT l.id, l.task_id, l.name, l.provider, l.connection, l.revocation, l.revocation_note, l.target, l.state, l.agent_name,
      l.template_name, l.scope, l.scope_digest, l.sealed_handle, l.created_at, l.mint_by, l.mint_by, l.expires_at,
      l.provider_expires_at, l.due_at
    FROM unnest(p_leases) AS l;
  IF cardinality(p_holds) > 0 THEN
    UPDATE public.idempotency_key k SET task_id = h.task_id FROM unnest(p_holds) AS h
    WHERE k.agent_id = h.agent_id AND k.runtime = h.runtime AND k.issuer = h.issuer AND k.subject = h.subject AND k.key = h.key;
  END IF;
  PERFORM public.append_audit(p_entries);
  IF cardinality(p_wake_ups) > 0 THEN
    INSERT INTO public.outbox (lease_id, reason, run_at) SELECT w.lease_id, w.reason, w.run_at FROM unnest(p_wake_ups) AS w;
  END IF;
  RETURN ARRAY(SELECT coalesce(v, 'opened') FROM unnest(verdicts) AS v);
END $$;

-- Step 11 for many tasks: activates every lease of a task with its audit entries, and returns the activated tasks. Changes
-- nothing for a task that was ended meanwhile (its leases are no longer `minting`). Locks the task rows first.
CREATE FUNCTION public.activate_tasks(p_tasks text[], p_leases public.activated_lease[], p_entries public.audit_record[],
    p_wake_ups public.wake_up_record[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  living text[];
  activated text[];
  activated_at timestamptz;
BEGIN
  living := ARRAY(
    SELECT t.id FROM public.task t WHERE t.id = ANY (p_tasks) AND t.state = 'active' AND t.end_cause IS NULL ORDER BY t.id FOR UPDATE);
  IF cardinality(living) < cardinality(p_tasks) THEN
    p_leases := ARRAY(SELECT l FROM unnest(p_leases) AS l WHERE l.task_id = ANY (living));
    p_entries := ARRAY(SELECT e FROM unnest(p_entries) AS e WHERE e.task_id = ANY (living));
    p_wake_ups := ARRAY(SELECT w FROM unnest(p_wake_ups) AS w WHERE w.task_id = ANY (living));
  END IF;
  activated_at := clock_timestamp();
  WITH changed AS (
    UPDATE public.lease l SET state = 'active', sealed_handle = m.sealed_handle, provider_expires_at = m.provider_expires_at,
        due_at = m.due_at, issued_by = activated_at, version = l.version + 1
      FROM unnest(p_leases) AS m WHERE l.id = m.id AND l.state = 'minting' RETURNING l.task_id)
  SELECT array_agg(DISTINCT changed.task_id) INTO activated FROM changed;
  PERFORM public.append_audit(p_entries);
  IF cardinality(p_wake_ups) > 0 THEN
    INSERT INTO public.outbox (lease_id, reason, run_at) SELECT w.lease_id, w.reason, w.run_at FROM unnest(p_wake_ups) AS w;
  END IF;
  RETURN coalesce(activated, '{}');
END $$;
