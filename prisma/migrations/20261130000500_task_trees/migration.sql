-- Task trees: an agent hands a part of its task to an agent, which takes it up as a task of its own.

-- The place of a task in its tree. A root has none of these. `actors` are the ids of the agents that handed the work on,
-- the root's first.
ALTER TABLE "task" ADD COLUMN "parent_id" TEXT, ADD COLUMN "root_id" TEXT, ADD COLUMN "depth" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "actors" TEXT[] NOT NULL DEFAULT '{}';
CREATE INDEX "task_parent_id_idx" ON "task"("parent_id") WHERE "parent_id" IS NOT NULL;
CREATE INDEX "task_root_id_idx" ON "task"("root_id") WHERE "root_id" IS NOT NULL;

-- What was handed on. `id` is the id that the task has once it is taken up. A delegation that is not accepted before
-- `accept_by`, or whose parent ends before, never becomes a task.
CREATE TABLE "delegation" (
    "id" TEXT NOT NULL,
    "parent_id" TEXT NOT NULL,
    "root_id" TEXT NOT NULL,
    "depth" INTEGER NOT NULL,
    "agent_name" TEXT NOT NULL,
    "template_name" TEXT NOT NULL,
    "parameters" JSONB NOT NULL,
    "purpose" TEXT NOT NULL,
    "ttl_seconds" INTEGER,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "accept_by" TIMESTAMPTZ(6) NOT NULL,
    "accepted_at" TIMESTAMPTZ(6),
    "idempotency_key" TEXT,
    "fingerprint" TEXT NOT NULL,

    CONSTRAINT "delegation_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "delegation_parent_id_idx" ON "delegation"("parent_id");
CREATE INDEX "delegation_root_id_idx" ON "delegation"("root_id");
CREATE UNIQUE INDEX "delegation_key_idx" ON "delegation"("parent_id", "idempotency_key") WHERE "idempotency_key" IS NOT NULL;

-- Opens the task of a delegation: `open_tasks` for one request, under the locks of its delegation and of its parent. The end
-- of the parent waits for this commit and then ends the child too, or this commit sees the end. Verdicts besides those of
-- `open_tasks`: `delegation` when it was accepted or has lapsed, `parent` when the parent ends, has ended, or ends earlier
-- than the child would.
CREATE FUNCTION public.open_child(p_agents text[], p_templates text[], p_connections text[], p_tasks public.task_intent[],
    p_leases public.lease_intent[], p_holds public.key_hold_record[], p_entries public.audit_record[],
    p_wake_ups public.wake_up_record[], p_actors text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  pending public.delegation;
  verdict text;
BEGIN
  SELECT * INTO pending FROM public.delegation d WHERE d.id = p_tasks[1].id FOR UPDATE;
  IF NOT FOUND OR pending.accepted_at IS NOT NULL OR pending.accept_by <= clock_timestamp() THEN
    RETURN 'delegation';
  END IF;
  -- A lockdown of the parent covers what it handed on. This also locks the row that orders grants and engagements.
  IF cardinality(public.locked_down(ARRAY[pending.parent_id])) > 0 THEN
    RETURN 'lockdown';
  END IF;
  PERFORM FROM public.task t WHERE t.id = pending.parent_id AND t.state = 'active' AND t.end_cause IS NULL
    AND t.expires_at > clock_timestamp() AND t.expires_at >= p_tasks[1].expires_at FOR SHARE;
  IF NOT FOUND THEN
    RETURN 'parent';
  END IF;
  verdict := (public.open_tasks(p_agents, p_templates, p_connections, p_tasks, p_leases, p_holds, p_entries, p_wake_ups))[1];
  IF verdict = 'opened' THEN
    UPDATE public.task SET parent_id = pending.parent_id, root_id = pending.root_id, depth = pending.depth, actors = p_actors
      WHERE id = pending.id;
    UPDATE public.delegation d SET accepted_at = moment.at FROM (SELECT clock_timestamp() AS at) AS moment WHERE d.id = pending.id;
  END IF;
  RETURN verdict;
END $$;

-- As before, and the tree of the task: a lockdown of a tree names its root.
CREATE OR REPLACE FUNCTION public.guards_of_task(p_task public.task) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT public.guards_of(p_task.id, p_task.agent_name, p_task.template_name, p_task.template_version, p_task.runtime, p_task.issuer,
    ARRAY(SELECT l.connection FROM public.lease l WHERE l.task_id = p_task.id AND l.connection IS NOT NULL))
    || ('tree:' || coalesce(p_task.root_id, p_task.id))
$$;
