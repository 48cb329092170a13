-- What a key signs: tokens that agents get (`access`), or those that targets trust Mayfly by (`federation`). The keys that are
-- there sign the former. The private half is sealed for the purpose too: a row that is moved does not open.
-- AlterTable
ALTER TABLE "signing_key" ADD COLUMN "purpose" TEXT NOT NULL DEFAULT 'access';

ALTER TABLE "signing_key" ADD CONSTRAINT "signing_key_purpose_check" CHECK ("purpose" IN ('access', 'federation'));
