-- The log grows for ever. It is now a table of partitions, each for a fixed range of batch numbers (ADR 0016). Entries are
-- only added at the end, so indexes and maintenance of a full range no longer grow. The table of before becomes the first
-- partition. Its rows are read once, to check its range, and are not copied.
ALTER TABLE "audit_entry" RENAME TO "audit_entry_first";
ALTER INDEX "audit_entry_pkey" RENAME TO "audit_entry_first_pkey";
ALTER INDEX "audit_entry_task_id_batch_place_idx" RENAME TO "audit_entry_first_task_id_batch_place_idx";
ALTER INDEX "audit_entry_at_idx" RENAME TO "audit_entry_first_at_idx";
ALTER INDEX "audit_entry_refusals_idx" RENAME TO "audit_entry_first_refusals_idx";
-- The partition gets a copy of the parent's row trigger. It keeps its own trigger on TRUNCATE, which is not copied.
DROP TRIGGER "audit_entry_append_only" ON "audit_entry_first";

-- Columns in the same order as in the first partition: rows need no conversion on their way there.
CREATE TABLE "audit_entry" (LIKE "audit_entry_first") PARTITION BY RANGE ("batch");
ALTER TABLE "audit_entry" ADD CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("batch", "place");
CREATE INDEX "audit_entry_task_id_batch_place_idx" ON "audit_entry"("task_id", "batch", "place");
CREATE INDEX "audit_entry_at_idx" ON "audit_entry" USING BRIN ("at");
CREATE INDEX "audit_entry_refusals_idx" ON "audit_entry"("at", "id") WHERE "type" = 'identity.refused';
-- INVARIANT: I5.
CREATE TRIGGER "audit_entry_append_only" BEFORE UPDATE OR DELETE ON "audit_entry" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "audit_entry_not_truncated" BEFORE TRUNCATE ON "audit_entry" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The batch numbers of a partition (ADR 0016).
CREATE FUNCTION public.audit_partition_width() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 50000000::bigint';

-- Leaves to no role but the owner a right to write to a partition: what a role may write, it may write through the parent.
-- The right to read stays, for backups.
CREATE FUNCTION public.close_audit_partition(p_partition regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  grantee text;
BEGIN
  FOR grantee IN
    SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE c.oid = p_partition AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
  LOOP
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM %s CASCADE', p_partition, grantee);
  END LOOP;
END $$;

-- Adds an empty partition with the bound `p_bound`. ATTACH lets writers and readers of the other partitions continue;
-- CREATE TABLE with PARTITION OF would lock them all out.
CREATE FUNCTION public.add_audit_partition(p_name text, p_bound text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_entry INCLUDING ALL)', p_name);
  EXECUTE format('CREATE TRIGGER audit_entry_not_truncated BEFORE TRUNCATE ON public.%I FOR EACH STATEMENT
    EXECUTE FUNCTION public.refuse_change()', p_name);
  PERFORM public.close_audit_partition(format('public.%I', p_name)::regclass);
  EXECUTE format('ALTER TABLE public.audit_entry ATTACH PARTITION public.%I %s', p_name, p_bound);
END $$;

-- Makes the partitions of the next two ranges, if they are missing, and returns how many it made. The partition with the
-- number n has the batches from n * width on. A range is made before the sequence reaches it, so its rows are never in
-- the default partition. Runs with the rights of the owner, since the serving role may not create tables.
CREATE FUNCTION public.prepare_audit_partitions() RETURNS int LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
  width CONSTANT bigint := public.audit_partition_width();
  number bigint;
  made int := 0;
BEGIN
  FOR number IN
    SELECT b.last_value / width + ahead FROM public.audit_batch b CROSS JOIN generate_series(1, 2) AS ahead ORDER BY ahead
  LOOP
    CONTINUE WHEN to_regclass('public.audit_entry_' || number) IS NOT NULL;
    LOCK TABLE ONLY public.audit_entry IN SHARE UPDATE EXCLUSIVE MODE;
    -- Another replica may have made it meanwhile.
    CONTINUE WHEN to_regclass('public.audit_entry_' || number) IS NOT NULL;
    PERFORM public.add_audit_partition('audit_entry_' || number,
      format('FOR VALUES FROM (%s) TO (%s)', number * width, (number + 1) * width));
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION public.close_audit_partition(regclass), public.add_audit_partition(text, text),
  public.prepare_audit_partitions() FROM PUBLIC;

-- The first partition ends where the range of the next batch ends.
DO $$
DECLARE
  width CONSTANT bigint := public.audit_partition_width();
BEGIN
  EXECUTE format('ALTER TABLE public.audit_entry ATTACH PARTITION public.audit_entry_first FOR VALUES FROM (MINVALUE) TO (%s)',
    (SELECT (b.last_value / width + 1) * width FROM public.audit_batch b));
  PERFORM public.close_audit_partition('public.audit_entry_first');
  PERFORM public.add_audit_partition('audit_entry_default', 'DEFAULT');
  PERFORM public.prepare_audit_partitions();
END $$;

-- The function of before, with the least and the greatest batch of the round: a cached plan leaves partitions out for a
-- comparison with a number, and not for a list.
CREATE OR REPLACE FUNCTION public.seal_audit(p_batches int, p_at timestamptz) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  round bigint[];
  next_seq bigint;
  sealed int;
BEGIN
  IF NOT EXISTS (SELECT FROM public.audit_pending) THEN
    RETURN 0;
  END IF;
  PERFORM FROM public.audit_log WHERE log = 0 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  round := ARRAY(SELECT p.batch FROM public.audit_pending p ORDER BY p.batch LIMIT p_batches);
  SELECT s.first_seq + s.entries INTO next_seq FROM public.audit_seal s ORDER BY s.first_seq DESC LIMIT 1;
  INSERT INTO public.audit_seal (batch, first_seq, entries, leaf_hashes, sealed_at)
    SELECT b.batch, coalesce(next_seq, 1) + sum(b.entries) OVER (ORDER BY b.batch) - b.entries, b.entries, b.leaf_hashes, p_at
    FROM (SELECT e.batch, count(*)::int AS entries,
            string_agg(sha256('\x00'::bytea || convert_to(e.body, 'UTF8')), ''::bytea ORDER BY e.place) AS leaf_hashes
          FROM public.audit_entry e
          WHERE e.batch = ANY (round) AND e.batch BETWEEN round[1] AND round[cardinality(round)] GROUP BY e.batch) b;
  SELECT coalesce(sum(s.entries), 0)::int INTO sealed FROM public.audit_seal s WHERE s.batch = ANY (round);
  DELETE FROM public.audit_pending p WHERE p.batch = ANY (round);
  RETURN sealed;
END $$;
