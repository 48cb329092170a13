-- Work in bounded steps, however much there is.

-- The agents whose tasks are being ended. A row is written with the change of the agent's state. Tasks then end in batches,
-- by the id of the task; the row goes with the last batch. After a crash a worker continues at `ended_to`. While the row
-- exists, the agent cannot become active, so every active task above `ended_to` was opened before the change.
CREATE TABLE "agent_ending" (
    "agent_id" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "actor" JSONB NOT NULL,
    "ended_to" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "agent_ending_pkey" PRIMARY KEY ("agent_id")
);

-- Only endings look tasks up by their agent, and only those that run.
DROP INDEX "task_agent_id_id_idx";
CREATE INDEX "task_agent_id_id_idx" ON "task"("agent_id", "id") WHERE "state" = 'active';

-- The wiping reads what it wipes and no key twice: a key is in the first index until its answer is wiped, then in the second.
DROP INDEX "idempotency_key_replay_until_idx";
CREATE INDEX "idempotency_key_answered_idx" ON "idempotency_key"("replay_until") WHERE "sealed_answer" IS NOT NULL;
CREATE INDEX "idempotency_key_wiped_idx" ON "idempotency_key"("replay_until")
  WHERE "sealed_answer" IS NULL AND "replay_until" IS NOT NULL;

-- Leases that ended lately, for the comparison with the objects at a back end; and the oldest revocation that is not
-- proven, for the metrics. A lease that is being granted is in neither.
CREATE INDEX "lease_ended_at_idx" ON "lease"("ended_at", "id") WHERE "ended_at" IS NOT NULL;
CREATE INDEX "lease_revoking_idx" ON "lease"("revoke_requested_at") WHERE "state" = 'revoking';
