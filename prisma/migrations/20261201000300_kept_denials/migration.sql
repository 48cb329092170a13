-- Denials of sessions that a deny policy had and that no lease explains: the database is older than the policy, as after a
-- restored backup. `expires_at` is an instant by which every such session is dead.
CREATE TABLE "kept_denial" (
    "target" TEXT NOT NULL,
    "session" TEXT NOT NULL,
    "seen_at" TIMESTAMPTZ(6) NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "kept_denial_pkey" PRIMARY KEY ("target", "session")
);
