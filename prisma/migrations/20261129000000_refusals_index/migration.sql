-- Refused identities are read newest first (`GET /refusals`). The index has them alone: other entries cost nothing more.
CREATE INDEX "audit_entry_refusals_idx" ON "audit_entry"("at", "id") WHERE "type" = 'identity.refused';
