-- Records of decisions: one row for each, with the inputs that it was made of (ADR 0025). Kept as the audit is, and
-- partitioned by ranges of ids, whose first characters are the time: the partition of a record follows from its id.
-- The digits of an id sort by their bytes.
CREATE TABLE "decision" (
    "id" TEXT COLLATE "C" NOT NULL,
    "at" TIMESTAMPTZ(6) NOT NULL,
    "task_id" TEXT,
    "body" TEXT NOT NULL,

    CONSTRAINT "decision_pkey" PRIMARY KEY ("id")
) PARTITION BY RANGE ("id");
CREATE INDEX "decision_task_id_id_idx" ON "decision"("task_id", "id");
-- INVARIANT: I5.
CREATE TRIGGER "decision_append_only" BEFORE UPDATE OR DELETE ON "decision" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "decision_not_truncated" BEFORE TRUNCATE ON "decision" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One record as a value. The columns of the type have the names of the columns that they fill.
CREATE TYPE "decision_record" AS (
    "id" TEXT,
    "at" TIMESTAMPTZ,
    "task_id" TEXT,
    "body" TEXT
);

-- Writes records, in the caller's transaction.
CREATE FUNCTION public.record_decisions(p_records public.decision_record[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.decision (id, at, task_id, body)
    SELECT r.id, r.at, r.task_id, r.body FROM unnest(p_records) AS r;
END $$;

-- The number of the range of an instant: a range has 2^30 milliseconds, 12.4 days.
CREATE FUNCTION public.decision_range(p_at timestamptz) RETURNS bigint LANGUAGE sql STABLE AS
  'SELECT floor(extract(epoch FROM p_at) * 1000 / 1073741824)::bigint';

-- The least id of a range: the 20 bits before its milliseconds, as 4 digits of Crockford's base 32.
CREATE FUNCTION public.decision_bound(p_range bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'dec_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((p_range >> bits) & 31)::int + 1, 1), '' ORDER BY bits DESC)
  FROM unnest(ARRAY[15, 10, 5, 0]) AS bits
$$;

-- Adds an empty partition with the bound `p_bound`, as `add_audit_partition` does.
CREATE FUNCTION public.add_decision_partition(p_name text, p_bound text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE public.%I (LIKE public.decision INCLUDING ALL)', p_name);
  EXECUTE format('CREATE TRIGGER decision_not_truncated BEFORE TRUNCATE ON public.%I FOR EACH STATEMENT
    EXECUTE FUNCTION public.refuse_change()', p_name);
  PERFORM public.close_audit_partition(format('public.%I', p_name)::regclass);
  EXECUTE format('ALTER TABLE public.decision ATTACH PARTITION public.%I %s', p_name, p_bound);
END $$;

-- Makes the partitions of these ranges, if they are missing, and returns how many it made.
CREATE FUNCTION public.add_decision_ranges(p_first bigint, p_last bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
  made int := 0;
BEGIN
  FOR number IN SELECT generate_series(p_first, p_last) LOOP
    CONTINUE WHEN to_regclass('public.decision_' || number) IS NOT NULL;
    LOCK TABLE ONLY public.decision IN SHARE UPDATE EXCLUSIVE MODE;
    -- Another replica may have made it meanwhile.
    CONTINUE WHEN to_regclass('public.decision_' || number) IS NOT NULL;
    PERFORM public.add_decision_partition('decision_' || number,
      format('FOR VALUES FROM (%L) TO (%L)', public.decision_bound(number), public.decision_bound(number + 1)));
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

-- Makes the partitions of the next two ranges. The range of now may have rows in the default partition, after a time
-- without a running service: they stay there. Runs with the rights of the owner, as `prepare_audit_partitions` does.
CREATE FUNCTION public.prepare_decision_partitions() RETURNS int LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  present CONSTANT bigint := public.decision_range(pg_catalog.now());
BEGIN
  RETURN public.add_decision_ranges(present + 1, present + 2);
END $$;
REVOKE ALL ON FUNCTION public.add_decision_partition(text, text), public.add_decision_ranges(bigint, bigint),
  public.prepare_decision_partitions() FROM PUBLIC;

DO $$
BEGIN
  PERFORM public.add_decision_partition('decision_default', 'DEFAULT');
  PERFORM public.add_decision_ranges(public.decision_range(now()), public.decision_range(now()) + 2);
END $$;
