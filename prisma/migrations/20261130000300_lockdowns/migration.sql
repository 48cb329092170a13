-- Lockdowns: one commit denies what a scope covers, on every replica. The tasks under it then end in batches.

-- What may be locked down: a row for each scope that ever was. `lockdown_id` names the lockdown in force, and `epoch`
-- counts the changes of the row. The row (`all`, '') always exists. A commit that grants or delivers something locks it
-- FOR SHARE, and an engagement FOR UPDATE: each grant has either committed before the engagement, or sees it.
CREATE TABLE "guard" (
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "epoch" BIGINT NOT NULL DEFAULT 0,
    "lockdown_id" TEXT,

    CONSTRAINT "guard_pkey" PRIMARY KEY ("kind", "name")
);
INSERT INTO "guard" ("kind", "name") VALUES ('all', '');
CREATE INDEX "guard_engaged_idx" ON "guard"("kind", "name") WHERE "lockdown_id" IS NOT NULL;

-- Every lockdown that ever was; no row is deleted. The persons are actors as in the audit.
CREATE TABLE "lockdown" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "engaged_at" TIMESTAMPTZ(6) NOT NULL,
    "engaged_by" JSONB NOT NULL,
    "release_reason" TEXT,
    "release_requested_at" TIMESTAMPTZ(6),
    "release_requested_by" JSONB,
    "released_at" TIMESTAMPTZ(6),
    "released_by" JSONB,

    CONSTRAINT "lockdown_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "lockdown_in_force_idx" ON "lockdown"("kind", "name") WHERE "released_at" IS NULL;

-- The lockdown that ended the task.
ALTER TABLE "task" ADD COLUMN "lockdown_id" TEXT;
CREATE INDEX "task_lockdown_id_idx" ON "task"("lockdown_id") WHERE "lockdown_id" IS NOT NULL;

-- The endings of many tasks that are under way: of an agent that was stopped, or under a lockdown. A row is written with
-- the change that stops new tasks. Tasks then end in batches, in the order of agent and id; the row goes with the last
-- batch. After a crash a worker continues at the position. `pass` 0 ends the tasks that have a credential at a connection,
-- `pass` 1 the others. While the row exists, the change cannot be taken back.
CREATE TABLE "task_ending" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "reason" TEXT,
    "actor" JSONB NOT NULL,
    "pass" INTEGER NOT NULL DEFAULT 0,
    "to_agent" TEXT NOT NULL DEFAULT '',
    "to_task" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "task_ending_pkey" PRIMARY KEY ("id")
);
INSERT INTO "task_ending" ("id", "kind", "name", "cause", "actor") SELECT "agent_id", 'agent-id', "agent_id", "cause", "actor" FROM "agent_ending";
DROP TABLE "agent_ending";

-- Replicas read the lockdowns in force with declared state.
CREATE CONSTRAINT TRIGGER "guard_revision" AFTER INSERT OR UPDATE OR DELETE ON "guard" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note_declared_change('Guard');

-- The guards of a task: a lockdown of any of them covers it. An owner owns the agent or the template of the task, or
-- one of its connections. libs/tasks/src/lockdown.ts has the same rule.
CREATE FUNCTION public.guards_of(p_task text, p_agent text, p_template text, p_version int, p_runtime text, p_issuer text,
    p_connections text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT ARRAY['all:', 'task:' || p_task, 'agent:' || p_agent, 'template:' || p_template, 'runtime:' || p_runtime, 'issuer:' || p_issuer]
    || ARRAY(SELECT 'connection:' || used FROM unnest(p_connections) AS used)
    || ARRAY(SELECT 'owner:' || (a.spec->>'owner') FROM public.agent a WHERE a.name = p_agent)
    || ARRAY(SELECT 'owner:' || (v.spec->>'owner') FROM public.template_version v WHERE v.name = p_template AND v.version = p_version)
    || ARRAY(SELECT 'owner:' || (c.spec->>'owner') FROM public.connection c WHERE c.name = ANY (p_connections))
$$;

-- The same of a stored task.
CREATE FUNCTION public.guards_of_task(p_task public.task) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT public.guards_of(p_task.id, p_task.agent_name, p_task.template_name, p_task.template_version, p_task.runtime, p_task.issuer,
    ARRAY(SELECT l.connection FROM public.lease l WHERE l.task_id = p_task.id AND l.connection IS NOT NULL))
$$;

-- The lockdown in force that covers a stored task, or NULL; the oldest, if there are several.
CREATE FUNCTION public.lockdown_of(p_task text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.guard g WHERE g.lockdown_id IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  RETURN (
    SELECT min(g.lockdown_id) FROM public.task t JOIN public.guard g ON g.kind || ':' || g.name = ANY (public.guards_of_task(t))
    WHERE t.id = p_task AND g.lockdown_id IS NOT NULL);
END $$;

-- The guards with a lockdown in force, for a commit that grants. Waits for an engagement under way, and holds a later one
-- back until the commit. Without the row that it locks nothing is granted.
CREATE FUNCTION public.engaged_guards_locked() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM public.guard g WHERE g.kind = 'all' AND g.name = '' FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'guard has no row for all: insert (all, '''')' USING ERRCODE = 'no_data_found';
  END IF;
  RETURN ARRAY(SELECT g.kind || ':' || g.name FROM public.guard g WHERE g.lockdown_id IS NOT NULL);
END $$;

-- Those of the stored tasks that a lockdown covers, for a commit that delivers; locks as above.
CREATE FUNCTION public.locked_down(p_tasks text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  engaged text[] := public.engaged_guards_locked();
BEGIN
  IF cardinality(engaged) = 0 THEN
    RETURN '{}';
  END IF;
  RETURN ARRAY(SELECT t.id FROM public.task t WHERE t.id = ANY (p_tasks) AND engaged && public.guards_of_task(t));
END $$;

-- As before, and the verdict `lockdown`.
CREATE OR REPLACE FUNCTION public.open_tasks(p_agents text[], p_templates text[], p_connections text[], p_tasks public.task_intent[],
    p_leases public.lease_intent[], p_holds public.key_hold_record[], p_entries public.audit_record[],
    p_wake_ups public.wake_up_record[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  active_agents text[];
  current_versions text[];
  with_disabled text[] := '{}';
  with_key text[] := '{}';
  engaged text[] := public.engaged_guards_locked();
  locked_down text[] := '{}';
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

  IF cardinality(engaged) > 0 THEN
    locked_down := ARRAY(
      SELECT t.id FROM unnest(p_tasks) AS t
      WHERE engaged && public.guards_of(t.id, t.agent_name, t.template_name, t.template_version, t.runtime, t.issuer,
        ARRAY(SELECT l.connection FROM unnest(p_leases) AS l WHERE l.task_id = t.id AND l.connection IS NOT NULL)));
  END IF;

  judged_at := clock_timestamp();
  verdicts := ARRAY(
    SELECT CASE
        WHEN abs(extract(epoch FROM judged_at - t.created_at)) > 5 THEN 'clock'
        WHEN t.id = ANY (locked_down) THEN 'lockdown'
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

-- As before; a task under a lockdown is not activated.
CREATE OR REPLACE FUNCTION public.activate_tasks(p_tasks text[], p_leases public.activated_lease[], p_entries public.audit_record[],
    p_wake_ups public.wake_up_record[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  locked_down text[] := public.locked_down(p_tasks);
  living text[];
  activated text[];
  activated_at timestamptz;
BEGIN
  living := ARRAY(
    SELECT t.id FROM public.task t
    WHERE t.id = ANY (p_tasks) AND t.id <> ALL (locked_down) AND t.state = 'active' AND t.end_cause IS NULL ORDER BY t.id FOR UPDATE);
  IF cardinality(living) < cardinality(p_tasks) THEN
    p_leases := ARRAY(SELECT l FROM unnest(p_leases) AS l WHERE l.task_id = ANY (living));
  END IF;
  activated_at := clock_timestamp();
  WITH changed AS (
    UPDATE public.lease l SET state = 'active', sealed_handle = m.sealed_handle, provider_expires_at = m.provider_expires_at,
        due_at = m.due_at, issued_by = activated_at, version = l.version + 1
      FROM unnest(p_leases) AS m WHERE l.id = m.id AND l.state = 'minting' RETURNING l.task_id)
  SELECT coalesce(array_agg(DISTINCT changed.task_id), '{}') INTO activated FROM changed;
  IF cardinality(activated) < cardinality(p_tasks) THEN
    p_entries := ARRAY(SELECT e FROM unnest(p_entries) AS e WHERE e.task_id = ANY (activated));
    p_wake_ups := ARRAY(SELECT w FROM unnest(p_wake_ups) AS w WHERE w.task_id = ANY (activated));
  END IF;
  PERFORM public.append_audit(p_entries);
  IF cardinality(p_wake_ups) > 0 THEN
    INSERT INTO public.outbox (lease_id, reason, run_at) SELECT w.lease_id, w.reason, w.run_at FROM unnest(p_wake_ups) AS w;
  END IF;
  RETURN activated;
END $$;
