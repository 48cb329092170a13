-- The uses of ended credentials that show that they are dead. The material is sealed, and wiped after the last use.
CREATE TABLE "death_probe" (
    "lease_id" TEXT NOT NULL,
    "sealed_material" BYTEA,
    "next_at" TIMESTAMPTZ(6),
    "give_up_at" TIMESTAMPTZ(6),
    "claimed_until" TIMESTAMPTZ(6),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "accepted" BOOLEAN NOT NULL DEFAULT false,
    "last_error" TEXT,

    CONSTRAINT "death_probe_pkey" PRIMARY KEY ("lease_id")
);
ALTER TABLE "death_probe" ADD CONSTRAINT "death_probe_lease_id_fkey" FOREIGN KEY ("lease_id") REFERENCES "lease"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
CREATE INDEX "death_probe_due_idx" ON "death_probe"("next_at") WHERE "next_at" IS NOT NULL;

ALTER TABLE "lease" ADD COLUMN "confirmed_dead_at" TIMESTAMPTZ(6);
