-- An activation that changes no lease writes nothing. The function of before wrote the entries and wake-ups of a task that
-- was active already, though it answered that it activated nothing.
CREATE OR REPLACE FUNCTION public.activate_tasks(p_tasks text[], p_leases public.activated_lease[], p_entries public.audit_record[],
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
