-- Documents of the kind Policy. A change raises the revision of declared state, as that of any other document does.
CREATE TABLE "policy" (
    "name" TEXT NOT NULL,
    "labels" JSONB NOT NULL DEFAULT '{}',
    "spec" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_by" TEXT NOT NULL,

    CONSTRAINT "policy_pkey" PRIMARY KEY ("name")
);
CREATE CONSTRAINT TRIGGER "policy_revision" AFTER INSERT OR UPDATE OR DELETE ON "policy" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.note_declared_change('Policy');
