-- Comparisons of a connection with the leases. An operator asks for one, and a worker carries it out; a scheduled comparison
-- writes its row when it is over, and only when it found something new.
CREATE TABLE "reconciliation" (
    "id" TEXT NOT NULL,
    "connection" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "actor" JSONB NOT NULL,
    "requested_at" TIMESTAMPTZ(6) NOT NULL,
    "started_at" TIMESTAMPTZ(6),
    "finished_at" TIMESTAMPTZ(6),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "differences" JSONB NOT NULL DEFAULT '[]',
    "left_out" INTEGER NOT NULL DEFAULT 0,
    "error" TEXT,

    CONSTRAINT "reconciliation_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "reconciliation_state_check" CHECK ("state" IN ('running', 'done', 'failed')),
    CONSTRAINT "reconciliation_finished_check" CHECK (("state" = 'running') = ("finished_at" IS NULL)),
    CONSTRAINT "reconciliation_error_check" CHECK (("state" = 'failed') = ("error" IS NOT NULL))
);
-- One reconciliation of a connection runs at a time: a second request gets the first one.
CREATE UNIQUE INDEX "reconciliation_running_idx" ON "reconciliation"("connection") WHERE "state" = 'running';
CREATE INDEX "reconciliation_connection_id_idx" ON "reconciliation"("connection", "id");

-- The right to compare one connection now, for requests and for the schedule. A process that dies lets it lapse. `seen` is a
-- digest of the differences that the last comparison found.
CREATE TABLE "reconciliation_turn" (
    "connection" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 0,
    "claimed_until" TIMESTAMPTZ(6),
    "seen" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "reconciliation_turn_pkey" PRIMARY KEY ("connection")
);
