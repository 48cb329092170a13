-- The history of issuances is read newest first, by any one of its filters (`GET /issuances`): each has an index in that
-- order. An id orders leases of one instant and needs no place in an index.
-- DropIndex
DROP INDEX "lease_agent_name_id_idx";

-- DropIndex
DROP INDEX "lease_template_name_id_idx";

-- CreateIndex
CREATE INDEX "lease_created_at_idx" ON "lease"("created_at");

-- CreateIndex
CREATE INDEX "lease_agent_name_created_at_idx" ON "lease"("agent_name", "created_at");

-- CreateIndex
CREATE INDEX "lease_template_name_created_at_idx" ON "lease"("template_name", "created_at");

-- CreateIndex
CREATE INDEX "lease_provider_created_at_idx" ON "lease"("provider", "created_at");

-- CreateIndex
CREATE INDEX "lease_state_created_at_idx" ON "lease"("state", "created_at");

-- CreateIndex
CREATE INDEX "lease_end_cause_created_at_idx" ON "lease"("end_cause", "created_at");

-- The log is appended in the order of time: a block range index finds a window of it and costs next to nothing to keep.
-- CreateIndex
CREATE INDEX "audit_entry_at_idx" ON "audit_entry" USING BRIN ("at");

-- Where a window of time begins in the sequence.
-- CreateIndex
CREATE INDEX "audit_seal_sealed_at_seq_idx" ON "audit_seal"("sealed_at", "seq");
