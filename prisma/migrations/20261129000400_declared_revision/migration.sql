-- Replicas learned of a change of declared state by NOTIFY in a trigger. A distributed engine refuses a transaction that
-- notifies, listeners at another node hear nothing, and a full notification queue refuses every change. A change now raises
-- a revision in its transaction. Every replica polls it, and reads declared state again when it is another one.
DROP TRIGGER "issuer_catalog" ON "issuer";
DROP TRIGGER "agent_catalog" ON "agent";
DROP TRIGGER "connection_catalog" ON "connection";
DROP TRIGGER "template_catalog" ON "template";
DROP TRIGGER "signing_key_catalog" ON "signing_key";
DROP FUNCTION notify_catalog();

CREATE TABLE "declared_revision" (
    "id" INTEGER NOT NULL,
    "revision" BIGINT NOT NULL,

    CONSTRAINT "declared_revision_pkey" PRIMARY KEY ("id")
);
ALTER TABLE "declared_revision" ADD CONSTRAINT "declared_revision_one_row_check" CHECK ("id" = 0);
INSERT INTO "declared_revision" VALUES (0, 1);

-- Raises the revision once in a transaction. The triggers are deferred: the row is the last one that a transaction locks,
-- and only for its commit. So changes of different documents do not wait for each other before, cannot deadlock over the
-- row, and no grant reads or locks it.
CREATE FUNCTION public.raise_declared_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(current_setting('mayfly.declared_revision_raised', true), '') <> '' THEN
    RETURN NULL;
  END IF;
  UPDATE public.declared_revision SET revision = revision + 1 WHERE id = 0;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'declared_revision has no row: insert (0, 1)' USING ERRCODE = 'no_data_found';
  END IF;
  PERFORM set_config('mayfly.declared_revision_raised', 'yes', true);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "issuer_revision" AFTER INSERT OR UPDATE OR DELETE ON "issuer" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.raise_declared_revision();
CREATE CONSTRAINT TRIGGER "agent_revision" AFTER INSERT OR UPDATE OR DELETE ON "agent" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.raise_declared_revision();
CREATE CONSTRAINT TRIGGER "connection_revision" AFTER INSERT OR UPDATE OR DELETE ON "connection" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.raise_declared_revision();
CREATE CONSTRAINT TRIGGER "template_revision" AFTER INSERT OR UPDATE OR DELETE ON "template" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.raise_declared_revision();
CREATE CONSTRAINT TRIGGER "signing_key_revision" AFTER INSERT OR UPDATE OR DELETE ON "signing_key" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.raise_declared_revision();

-- Holds an idempotency key. Returns the instant of the hold as text with microseconds, or NULL when another request has the
-- key. The instants are read here, since ON CONFLICT and RETURNING take values only.
CREATE FUNCTION public.hold_key(p_agent_id text, p_runtime text, p_issuer text, p_subject text, p_key text, p_fingerprint text,
    p_lapse_seconds int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  this_instant timestamptz := clock_timestamp();
  lapsed_before timestamptz := now() - make_interval(secs => p_lapse_seconds);
  held_at timestamptz;
BEGIN
  INSERT INTO public.idempotency_key AS k (agent_id, runtime, issuer, subject, key, fingerprint, task_id, claimed_at)
    VALUES (p_agent_id, p_runtime, p_issuer, p_subject, p_key, p_fingerprint, '', this_instant)
    ON CONFLICT (agent_id, runtime, issuer, subject, key)
      DO UPDATE SET claimed_at = excluded.claimed_at, fingerprint = excluded.fingerprint
      WHERE k.task_id = '' AND k.claimed_at < lapsed_before
    RETURNING k.claimed_at INTO held_at;
  RETURN held_at::text;
END $$;

-- A refusal names its table as a field of the error: a start tries the triggers and must know which table refused.
CREATE OR REPLACE FUNCTION public.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: its rows are history', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege', TABLE = TG_TABLE_NAME;
END $$;
