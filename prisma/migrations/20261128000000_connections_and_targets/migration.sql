-- Connections that can be disabled, leases that share a place at a back end, and what has to stand there.
-- AlterTable
ALTER TABLE "connection" ADD COLUMN     "state" TEXT NOT NULL DEFAULT 'enabled';

-- AlterTable
ALTER TABLE "lease" ADD COLUMN     "issued_by" TIMESTAMPTZ(6),
ADD COLUMN     "renew_requested_at" TIMESTAMPTZ(6),
ADD COLUMN     "revocation_note" TEXT,
ADD COLUMN     "target" TEXT;

-- CreateTable
CREATE TABLE "denial_document" (
    "target" TEXT NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 0,
    "version" INTEGER NOT NULL DEFAULT 0,
    "claimed_until" TIMESTAMPTZ(6),
    "cut_off_at" TIMESTAMPTZ(6),
    "cut_off_until" TIMESTAMPTZ(6),
    "written_at" TIMESTAMPTZ(6),
    "repaired_at" TIMESTAMPTZ(6),
    "checked_at" TIMESTAMPTZ(6),

    CONSTRAINT "denial_document_pkey" PRIMARY KEY ("target")
);

-- CreateIndex
CREATE INDEX "lease_target_expires_at_idx" ON "lease"("target", "expires_at");

ALTER TABLE "connection" ADD CONSTRAINT "connection_state_check" CHECK ("state" IN ('enabled', 'disabled'));
