-- The spine: declared state, tasks, leases, quota, audit, keys.
-- CreateTable
CREATE TABLE "issuer" (
    "name" TEXT NOT NULL,
    "labels" JSONB NOT NULL DEFAULT '{}',
    "spec" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_by" TEXT NOT NULL,

    CONSTRAINT "issuer_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "agent" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "labels" JSONB NOT NULL DEFAULT '{}',
    "spec" JSONB NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'registered',
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_by" TEXT NOT NULL,

    CONSTRAINT "agent_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "connection" (
    "name" TEXT NOT NULL,
    "labels" JSONB NOT NULL DEFAULT '{}',
    "spec" JSONB NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_by" TEXT NOT NULL,

    CONSTRAINT "connection_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "template" (
    "name" TEXT NOT NULL,
    "labels" JSONB NOT NULL DEFAULT '{}',
    "state" TEXT NOT NULL DEFAULT 'draft',
    "current_version" INTEGER,
    "draft" JSONB,
    "draft_author" TEXT,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "template_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "template_version" (
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "labels" JSONB NOT NULL DEFAULT '{}',
    "spec" JSONB NOT NULL,
    "digest" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "publisher" TEXT NOT NULL,
    "published_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "template_version_pkey" PRIMARY KEY ("name","version")
);

-- CreateTable
CREATE TABLE "task" (
    "id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "agent_name" TEXT NOT NULL,
    "runtime" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "template_name" TEXT NOT NULL,
    "template_version" INTEGER NOT NULL,
    "parameters" JSONB NOT NULL,
    "purpose" TEXT NOT NULL,
    "requested_ttl_seconds" INTEGER,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,
    "max_expires_at" TIMESTAMPTZ(6) NOT NULL,
    "heartbeat_timeout_seconds" INTEGER,
    "heartbeat_at" TIMESTAMPTZ(6),
    "end_cause" TEXT,
    "end_reason" TEXT,
    "end_requested_at" TIMESTAMPTZ(6),
    "ended_at" TIMESTAMPTZ(6),
    "live_leases" INTEGER NOT NULL,

    CONSTRAINT "task_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "lease" (
    "id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "connection" TEXT,
    "revocation" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "agent_name" TEXT NOT NULL,
    "template_name" TEXT NOT NULL,
    "scope" JSONB NOT NULL,
    "scope_digest" TEXT NOT NULL,
    "sealed_handle" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "mint_by" TIMESTAMPTZ(6) NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,
    "provider_expires_at" TIMESTAMPTZ(6),
    "due_at" TIMESTAMPTZ(6),
    "claimed_until" TIMESTAMPTZ(6),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_error" TEXT,
    "end_cause" TEXT,
    "revoke_requested_at" TIMESTAMPTZ(6),
    "revoke_effective_at" TIMESTAMPTZ(6),
    "ended_at" TIMESTAMPTZ(6),

    CONSTRAINT "lease_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "quota_counter" (
    "scope" TEXT NOT NULL,
    "active" INTEGER NOT NULL DEFAULT 0,
    "recent" INTEGER[],
    "recent_second" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "quota_counter_pkey" PRIMARY KEY ("scope")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "agent_id" TEXT NOT NULL,
    "runtime" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "claimed_at" TIMESTAMPTZ(6) NOT NULL,
    "sealed_answer" BYTEA,
    "replay_until" TIMESTAMPTZ(6),

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("agent_id","runtime","issuer","subject","key")
);

-- CreateTable
CREATE TABLE "identity_use" (
    "issuer" TEXT NOT NULL,
    "jti" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "identity_use_pkey" PRIMARY KEY ("issuer","jti")
);

-- CreateTable
CREATE TABLE "audit_entry" (
    "id" TEXT NOT NULL,
    "xid" BIGINT NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint,
    "at" TIMESTAMPTZ(6) NOT NULL,
    "type" TEXT NOT NULL,
    "task_id" TEXT,
    "lease_id" TEXT,
    "agent" TEXT,
    "body" TEXT NOT NULL,

    CONSTRAINT "audit_entry_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_seal" (
    "seq" BIGINT NOT NULL,
    "entry_id" TEXT NOT NULL,
    "xid" BIGINT NOT NULL,
    "leaf_hash" BYTEA NOT NULL,
    "sealed_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "audit_seal_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "outbox" (
    "id" BIGSERIAL NOT NULL,
    "lease_id" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "run_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed_private_key" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL,
    "active_from" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateIndex
CREATE UNIQUE INDEX "agent_name_key" ON "agent"("name");

-- CreateIndex
CREATE INDEX "task_agent_id_id_idx" ON "task"("agent_id", "id");

-- CreateIndex
CREATE INDEX "lease_task_id_idx" ON "lease"("task_id");

-- CreateIndex
CREATE INDEX "lease_agent_name_id_idx" ON "lease"("agent_name", "id");

-- CreateIndex
CREATE INDEX "lease_template_name_id_idx" ON "lease"("template_name", "id");

-- CreateIndex
CREATE INDEX "lease_due_at_idx" ON "lease"("due_at");

-- CreateIndex
CREATE INDEX "idempotency_key_replay_until_idx" ON "idempotency_key"("replay_until");

-- CreateIndex
CREATE INDEX "identity_use_expires_at_idx" ON "identity_use"("expires_at");

-- CreateIndex
CREATE INDEX "audit_entry_xid_id_idx" ON "audit_entry"("xid", "id");

-- CreateIndex
CREATE INDEX "audit_entry_task_id_id_idx" ON "audit_entry"("task_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_seal_entry_id_key" ON "audit_seal"("entry_id");

-- AddForeignKey
ALTER TABLE "template_version" ADD CONSTRAINT "template_version_name_fkey" FOREIGN KEY ("name") REFERENCES "template"("name") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "lease" ADD CONSTRAINT "lease_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "task"("id") ON DELETE RESTRICT ON UPDATE CASCADE;



-- States (architecture: tasks and leases). A new state is added by replacing its constraint.
ALTER TABLE "agent" ADD CONSTRAINT "agent_state_check" CHECK ("state" IN ('registered', 'active', 'suspended', 'retired'));
ALTER TABLE "template" ADD CONSTRAINT "template_state_check" CHECK ("state" IN ('draft', 'published', 'retired'));
ALTER TABLE "task" ADD CONSTRAINT "task_state_check" CHECK ("state" IN ('active', 'completed', 'expired', 'revoked', 'failed'));
ALTER TABLE "task" ADD CONSTRAINT "task_live_leases_check" CHECK ("live_leases" >= 0);
ALTER TABLE "lease" ADD CONSTRAINT "lease_state_check" CHECK ("state" IN ('minting', 'active', 'revoking', 'revoked', 'expired', 'failed', 'abandoned'));
-- INVARIANT: I3, every lease that is not terminal has a due time.
ALTER TABLE "lease" ADD CONSTRAINT "lease_due_check" CHECK (("due_at" IS NOT NULL) = ("state" IN ('minting', 'active', 'revoking')));
ALTER TABLE "quota_counter" ADD CONSTRAINT "quota_counter_active_check" CHECK ("active" >= 0);

-- INVARIANT: I5, terminal states absorb and no row of the history is deleted, whoever asks.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: its rows are history', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION refuse_leaving_terminal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% % is %, which is final', TG_TABLE_NAME, OLD.id, OLD.state USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_entry" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_seal" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER template_version_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON "template_version" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER task_kept BEFORE DELETE OR TRUNCATE ON "task" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER lease_kept BEFORE DELETE OR TRUNCATE ON "lease" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER task_terminal BEFORE UPDATE OF "state" ON "task" FOR EACH ROW
  WHEN (OLD.state IN ('completed', 'expired', 'revoked', 'failed') AND NEW.state <> OLD.state) EXECUTE FUNCTION refuse_leaving_terminal();
CREATE TRIGGER lease_terminal BEFORE UPDATE OF "state" ON "lease" FOR EACH ROW
  WHEN (OLD.state IN ('revoked', 'expired', 'failed', 'abandoned') AND NEW.state <> OLD.state) EXECUTE FUNCTION refuse_leaving_terminal();

-- Takes at most `wanted` tasks out of a scope's limits and says how many were granted. The sum over the last 61 whole
-- seconds bounds every sliding minute. The row stays locked until the caller's commit; callers take scopes in order.
CREATE FUNCTION quota_take(p_scope text, p_wanted int, p_per_minute int, p_concurrent int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  counter quota_counter;
  this_second bigint;
  passed int;
  granted int;
BEGIN
  SELECT * INTO counter FROM quota_counter WHERE scope = p_scope FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO quota_counter (scope, active, recent, recent_second) VALUES (p_scope, 0, array_fill(0, ARRAY[61]), 0)
      ON CONFLICT (scope) DO NOTHING;
    SELECT * INTO counter FROM quota_counter WHERE scope = p_scope FOR UPDATE;
  END IF;
  -- Read under the lock: what was waited for it is no longer part of the minute.
  this_second := floor(extract(epoch FROM clock_timestamp()));
  passed := least(61, greatest(0, this_second - counter.recent_second));
  IF passed > 0 THEN
    counter.recent := counter.recent[passed + 1 : 61] || array_fill(0, ARRAY[passed]);
  END IF;
  granted := greatest(0, least(p_wanted, p_concurrent - counter.active,
                               p_per_minute - (SELECT sum(n) FROM unnest(counter.recent) AS n)));
  counter.recent[61] := counter.recent[61] + granted;
  UPDATE quota_counter
     SET active = active + granted, recent = counter.recent, recent_second = greatest(counter.recent_second, this_second)
   WHERE scope = p_scope;
  RETURN granted;
END $$;

-- Tells every replica that declared state changed.
CREATE FUNCTION notify_catalog() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('mayfly_catalog', TG_TABLE_NAME);
  RETURN NULL;
END $$;
CREATE TRIGGER issuer_catalog AFTER INSERT OR UPDATE OR DELETE ON "issuer" FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog();
CREATE TRIGGER agent_catalog AFTER INSERT OR UPDATE OR DELETE ON "agent" FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog();
CREATE TRIGGER connection_catalog AFTER INSERT OR UPDATE OR DELETE ON "connection" FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog();
CREATE TRIGGER template_catalog AFTER INSERT OR UPDATE OR DELETE ON "template" FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog();
CREATE TRIGGER signing_key_catalog AFTER INSERT OR UPDATE OR DELETE ON "signing_key" FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog();
