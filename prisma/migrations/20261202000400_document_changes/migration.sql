-- Changes of declared documents that wait for a second person, and what became of them; no row is deleted.

-- `asked` is the content to write (labels and spec), and NULL for a step. `base` is the document that the change was written
-- against, with its revision, and NULL when the change creates it. The persons are actors as in the audit. A change without
-- `state` waits, or has lapsed and is not closed yet.
CREATE TABLE "document_change" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "asked" JSONB,
    "base" JSONB,
    "author" TEXT NOT NULL,
    "requested_by" JSONB NOT NULL,
    "requested_at" TIMESTAMPTZ(6) NOT NULL,
    "lapses_at" TIMESTAMPTZ(6) NOT NULL,
    "state" TEXT,
    "closed_at" TIMESTAMPTZ(6),
    "closed_by" JSONB,
    "reason" TEXT,
    "superseded_by" TEXT,

    CONSTRAINT "document_change_pkey" PRIMARY KEY ("id")
);
-- At most one change of a document waits.
CREATE UNIQUE INDEX "document_change_open_idx" ON "document_change"("kind", "name") WHERE "state" IS NULL;
CREATE INDEX "document_change_name_idx" ON "document_change"("name", "id");
