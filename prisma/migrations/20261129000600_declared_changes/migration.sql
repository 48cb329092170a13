-- The revision at which each declared document last changed. A replica that knows a revision reads the documents that changed
-- after it, in place of all of them. A document has one row here; a deleted one keeps it. Readers that know no revision read
-- everything, so the table begins empty.
CREATE TABLE "declared_change" (
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "revision" BIGINT NOT NULL,

    CONSTRAINT "declared_change_pkey" PRIMARY KEY ("kind", "name")
);
CREATE INDEX "declared_change_revision_idx" ON "declared_change"("revision");

-- Raises the revision once in a transaction, and returns it. The row of the revision is locked first, so the rows of
-- declared_change are written in the order of revisions and cannot be part of a deadlock.
CREATE FUNCTION public.this_declared_revision() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  raised text := coalesce(current_setting('mayfly.declared_revision_raised', true), '');
  this_revision bigint;
BEGIN
  IF raised <> '' THEN
    RETURN raised::bigint;
  END IF;
  UPDATE public.declared_revision SET revision = revision + 1 WHERE id = 0 RETURNING revision INTO this_revision;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'declared_revision has no row: insert (0, 1)' USING ERRCODE = 'no_data_found';
  END IF;
  PERFORM set_config('mayfly.declared_revision_raised', this_revision::text, true);
  RETURN this_revision;
END $$;

-- For signing keys: replicas read all of them again.
CREATE OR REPLACE FUNCTION public.raise_declared_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.this_declared_revision();
  RETURN NULL;
END $$;

-- For documents; the argument is their kind.
CREATE FUNCTION public.note_declared_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  this_revision bigint := public.this_declared_revision();
  changed text := CASE TG_OP WHEN 'DELETE' THEN OLD.name ELSE NEW.name END;
BEGIN
  INSERT INTO public.declared_change AS known (kind, name, revision) VALUES (TG_ARGV[0], changed, this_revision)
    ON CONFLICT (kind, name) DO UPDATE SET revision = excluded.revision;
  RETURN NULL;
END $$;

DROP TRIGGER "issuer_revision" ON "issuer";
DROP TRIGGER "agent_revision" ON "agent";
DROP TRIGGER "connection_revision" ON "connection";
DROP TRIGGER "template_revision" ON "template";
CREATE CONSTRAINT TRIGGER "issuer_revision" AFTER INSERT OR UPDATE OR DELETE ON "issuer" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note_declared_change('Issuer');
CREATE CONSTRAINT TRIGGER "agent_revision" AFTER INSERT OR UPDATE OR DELETE ON "agent" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note_declared_change('Agent');
CREATE CONSTRAINT TRIGGER "connection_revision" AFTER INSERT OR UPDATE OR DELETE ON "connection" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note_declared_change('Connection');
CREATE CONSTRAINT TRIGGER "template_revision" AFTER INSERT OR UPDATE OR DELETE ON "template" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note_declared_change('TaskTemplate');
