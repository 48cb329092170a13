-- The leases that should have ended and are not proven dead, longest overdue first (`GET /leases`). Such a lease is overdue
-- since its end was requested or its deadline passed, whichever was first. A lease that has ended with proof is in neither index.
DROP INDEX "lease_revoking_idx";
CREATE INDEX "lease_overdue_idx" ON "lease"((LEAST("revoke_requested_at", "expires_at")), "id") WHERE "state" = 'revoking';
CREATE INDEX "lease_abandoned_idx" ON "lease"((LEAST("revoke_requested_at", "expires_at")), "id") WHERE "state" = 'abandoned';
