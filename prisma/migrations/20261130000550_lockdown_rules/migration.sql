-- A guard of an unknown kind, or of everything under a name, would deny nothing.
ALTER TABLE "guard" ADD CONSTRAINT "guard_scope" CHECK (
  "kind" IN ('task', 'agent', 'template', 'owner', 'runtime', 'issuer', 'connection', 'tree', 'all') AND ("kind" = 'all') = ("name" = ''));

-- As before; computes the guards of the task once, and not for each lockdown in force.
CREATE OR REPLACE FUNCTION public.lockdown_of(p_task text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  guards text[];
BEGIN
  IF NOT EXISTS (SELECT FROM public.guard g WHERE g.lockdown_id IS NOT NULL) THEN
    RETURN NULL;
  END IF;
  guards := (SELECT public.guards_of_task(t) FROM public.task t WHERE t.id = p_task);
  RETURN (SELECT min(g.lockdown_id) FROM public.guard g WHERE g.lockdown_id IS NOT NULL AND g.kind || ':' || g.name = ANY (guards));
END $$;

-- As before. A transaction with one snapshot for all its statements would not see an engagement that it waited for.
CREATE OR REPLACE FUNCTION public.engaged_guards_locked() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'a grant needs the isolation level read committed' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  PERFORM FROM public.guard g WHERE g.kind = 'all' AND g.name = '' FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'guard has no row for all: insert (all, '''')' USING ERRCODE = 'no_data_found';
  END IF;
  RETURN ARRAY(SELECT g.kind || ':' || g.name FROM public.guard g WHERE g.lockdown_id IS NOT NULL);
END $$;
