-- The order of the log no longer depends on transaction ids: they restart after a restore into another cluster, they
-- belong to one node, and the oldest running transaction of the whole server held the numbering back. An entry now has
-- the number of the batch that wrote it and its place in the batch. Batch numbers come from a sequence that a writer asks
-- while it holds the lock of its task, so they order the entries of a task. `audit_pending` lists the committed batches
-- that have no seal: the sealer reads this list and no entry twice. A seal covers one batch.
CREATE SEQUENCE "audit_batch" AS bigint;

ALTER TABLE "audit_entry" DISABLE TRIGGER "audit_entry_append_only";
DROP INDEX "audit_entry_xid_id_idx";
DROP INDEX "audit_entry_task_id_id_idx";
ALTER TABLE "audit_entry" RENAME COLUMN "xid" TO "batch";
ALTER TABLE "audit_entry" ALTER COLUMN "batch" DROP DEFAULT;
ALTER TABLE "audit_entry" ADD COLUMN "place" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "audit_entry" ALTER COLUMN "place" DROP DEFAULT;

-- Entries of before: their transaction is their batch. A transaction that was numbered in part is two batches.
UPDATE "audit_entry" e SET "batch" = e."batch" + (SELECT max("batch") FROM "audit_entry")
  WHERE NOT EXISTS (SELECT FROM "audit_seal" s WHERE s."entry_id" = e."id")
    AND EXISTS (SELECT FROM "audit_seal" s WHERE s."xid" = e."batch");
UPDATE "audit_entry" SET "place" = p."place"
  FROM (SELECT "id", (row_number() OVER (PARTITION BY "batch" ORDER BY "id"))::int - 1 AS "place" FROM "audit_entry") p
  WHERE p."id" = "audit_entry"."id" AND p."place" > 0;
SELECT setval('audit_batch', greatest(1, (SELECT max("batch") FROM "audit_entry")));
ALTER TABLE "audit_entry" ENABLE TRIGGER "audit_entry_append_only";

-- The primary key was the id. Nothing looks an entry up by its id, and the id needs no index to be unique.
ALTER TABLE "audit_entry" DROP CONSTRAINT "audit_entry_pkey";
ALTER TABLE "audit_entry" ADD CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("batch", "place");
CREATE INDEX "audit_entry_task_id_batch_place_idx" ON "audit_entry"("task_id", "batch", "place");

CREATE TABLE "audit_pending" (
    "batch" BIGINT NOT NULL,

    CONSTRAINT "audit_pending_pkey" PRIMARY KEY ("batch")
);

-- `leaf_hashes` has 32 bytes for each entry of the batch, in the order of their places; the first has the number `first_seq`.
CREATE TABLE "audit_batch_seal" (
    "batch" BIGINT NOT NULL,
    "first_seq" BIGINT NOT NULL,
    "entries" INTEGER NOT NULL,
    "leaf_hashes" BYTEA NOT NULL,
    "sealed_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "audit_seal_batch_pkey" PRIMARY KEY ("batch")
);
INSERT INTO "audit_batch_seal"
  SELECT e."batch", min(s."seq"), count(*), string_agg(s."leaf_hash", ''::bytea ORDER BY e."place"), max(s."sealed_at")
  FROM "audit_seal" s JOIN "audit_entry" e ON e."id" = s."entry_id" GROUP BY e."batch";
INSERT INTO "audit_pending"
  SELECT DISTINCT "batch" FROM "audit_entry" e WHERE NOT EXISTS (SELECT FROM "audit_batch_seal" s WHERE s."batch" = e."batch");
DROP TABLE "audit_seal";
ALTER TABLE "audit_batch_seal" RENAME TO "audit_seal";
ALTER TABLE "audit_seal" RENAME CONSTRAINT "audit_seal_batch_pkey" TO "audit_seal_pkey";
CREATE UNIQUE INDEX "audit_seal_first_seq_key" ON "audit_seal"("first_seq");
CREATE INDEX "audit_seal_sealed_at_first_seq_idx" ON "audit_seal"("sealed_at", "first_seq");
ALTER TABLE "audit_seal" ADD CONSTRAINT "audit_seal_entries_check"
  CHECK ("entries" > 0 AND octet_length("leaf_hashes") = 32 * "entries");

-- The list of logs. The sealer locks the row of its log, so that one sealer works at a time over all replicas.
CREATE TABLE "audit_log" (
    "log" INTEGER NOT NULL,

    CONSTRAINT "audit_log_pkey" PRIMARY KEY ("log")
);
INSERT INTO "audit_log" VALUES (0);

-- INVARIANT: I5. Row triggers: a statement trigger does not see a change that is made in a partition, nor, under a
-- distributed engine, one that is made in a shard. TRUNCATE has no row trigger.
DROP TRIGGER "audit_entry_append_only" ON "audit_entry";
DROP TRIGGER "template_version_immutable" ON "template_version";
DROP TRIGGER "task_kept" ON "task";
DROP TRIGGER "lease_kept" ON "lease";
CREATE TRIGGER "audit_entry_append_only" BEFORE UPDATE OR DELETE ON "audit_entry" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "audit_entry_not_truncated" BEFORE TRUNCATE ON "audit_entry" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "audit_seal_append_only" BEFORE UPDATE OR DELETE ON "audit_seal" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "audit_seal_not_truncated" BEFORE TRUNCATE ON "audit_seal" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "template_version_immutable" BEFORE UPDATE OR DELETE ON "template_version" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "template_version_not_truncated" BEFORE TRUNCATE ON "template_version" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "task_kept" BEFORE DELETE ON "task" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "task_not_truncated" BEFORE TRUNCATE ON "task" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "lease_kept" BEFORE DELETE ON "lease" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "lease_not_truncated" BEFORE TRUNCATE ON "lease" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One entry as a value. The columns of the type have the names of the columns that they fill.
CREATE TYPE "audit_record" AS (
    "id" TEXT,
    "at" TIMESTAMPTZ,
    "type" TEXT,
    "task_id" TEXT,
    "lease_id" TEXT,
    "agent" TEXT,
    "body" TEXT
);

-- Writes entries as one batch, in the caller's transaction.
CREATE FUNCTION public.append_audit(p_entries public.audit_record[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  this_batch bigint;
BEGIN
  IF cardinality(p_entries) = 0 THEN
    RETURN;
  END IF;
  this_batch := nextval('public.audit_batch');
  INSERT INTO public.audit_pending (batch) VALUES (this_batch);
  INSERT INTO public.audit_entry (batch, place, id, at, type, task_id, lease_id, agent, body)
    SELECT this_batch, e.ordinality - 1, e.id, e.at, e.type, e.task_id, e.lease_id, e.agent, e.body
    FROM unnest(p_entries) WITH ORDINALITY AS e;
END $$;

-- Seals at most `p_batches` batches and returns the number of their entries; 0 while another sealer works. A leaf hash is
-- SHA-256(0x00 || body), RFC 6962 section 2.1. A batch of a task's later change is never sealed before one of an earlier
-- change: who sees the later commit sees the earlier one, and within a round batches are numbered in order.
CREATE FUNCTION public.seal_audit(p_batches int, p_at timestamptz) RETURNS int LANGUAGE plpgsql AS $$
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
          FROM public.audit_entry e WHERE e.batch = ANY (round) GROUP BY e.batch) b;
  SELECT coalesce(sum(s.entries), 0)::int INTO sealed FROM public.audit_seal s WHERE s.batch = ANY (round);
  DELETE FROM public.audit_pending p WHERE p.batch = ANY (round);
  RETURN sealed;
END $$;
