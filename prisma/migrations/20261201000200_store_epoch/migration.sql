-- The inside half of the epoch (docs/adr/0020-epoch-outside-the-database.md). The other half is outside of the database and names
-- the last audit entry that was seen. A database that lacks this entry is older than what the installation has seen.
CREATE TABLE "store_epoch" (
    "id" INTEGER NOT NULL,
    "lineage" TEXT,
    "is_written" BOOLEAN NOT NULL DEFAULT false,
    "superseded" JSONB,
    "quarantined_at" TIMESTAMPTZ(6),
    "cause" TEXT,
    "expected" JSONB,
    "found" JSONB,

    CONSTRAINT "store_epoch_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "store_epoch_id_check" CHECK ("id" = 0),
    CONSTRAINT "store_epoch_quarantine_check" CHECK (("quarantined_at" IS NULL) = ("cause" IS NULL))
);
INSERT INTO "store_epoch" ("id") VALUES (0);
