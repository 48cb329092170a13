-- The declared facts that decisions read, each set once, under the digest of its canonical JSON (ADR 0025). Kept as the
-- audit is.
CREATE TABLE "decision_facts" (
    "digest" TEXT NOT NULL,
    "body" TEXT NOT NULL,

    CONSTRAINT "decision_facts_pkey" PRIMARY KEY ("digest")
);
-- INVARIANT: I5.
CREATE TRIGGER "decision_facts_append_only" BEFORE UPDATE OR DELETE ON "decision_facts" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER "decision_facts_not_truncated" BEFORE TRUNCATE ON "decision_facts" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
